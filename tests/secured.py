"""Apache Kafka as managed ones are reached: by TLS, with passwords or certificates."""

from pathlib import Path

from streams.laptop.brokers.apache import ApacheBroker
from streams.laptop.ports import free_port
from tests.certificates import Authority

USER = "tocsin"
WITHOUT_RIGHTS = "somebody"
#: As managed ones make them, and with what URLs and shells trip over; a comma is too much for the tool that tells the broker.
PASSWORD = "a s3cret% to:be @kept"
KEY_PASSWORD = "of-the-key"
_KAFKA = "org.apache.kafka.common.security"


class SecuredBroker(ApacheBroker):
    """
    One broker with a listener of each kind.

    Its certificate is for ``localhost``: by its address, it has another name than its clients ask for.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "state", free_port(), folder / "broker.log")
        self.authority = Authority(folder, "authority")
        self.stranger = Authority(folder, "stranger")
        self.certificate = self.authority.signs("client", password=KEY_PASSWORD)
        self._chain = folder / "broker.pem"
        self._chain.write_text(
            "".join(each.read_text() for each in self.authority.signs("broker", "localhost")[::-1])
        )
        self._ports = {
            kind: free_port() for kind in ("SASL_SSL", "MUTUAL", "SSL", "SASL_PLAINTEXT")
        }
        self.formatted_with = tuple(
            each
            for user in (USER, WITHOUT_RIGHTS)
            for each in ("--add-scram", f'SCRAM-SHA-512=[name={user},password="{PASSWORD}"]')
        )

    def at(self, kind: str, host: str = "localhost") -> str:
        """Return the address of the listener called *kind*."""
        return self.bootstrap if kind == "PLAINTEXT" else f"{host}:{self._ports[kind]}"

    def properties(self, controller_port: int, log: Path) -> dict[str, str]:
        plain = super().properties(controller_port, log)
        listeners = "".join(f",{each}://127.0.0.1:{port}" for each, port in self._ports.items())
        advertised = "".join(f",{each}://localhost:{port}" for each, port in self._ports.items())
        secured = {
            "listeners": plain["listeners"] + listeners,
            "advertised.listeners": plain["advertised.listeners"] + advertised,
            "listener.security.protocol.map": plain["listener.security.protocol.map"]
            + ",MUTUAL:SSL,"
            + ",".join(f"{each}:{each}" for each in self._ports if each != "MUTUAL"),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._chain),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file),
            "listener.name.mutual.ssl.client.auth": "required",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:ANONYMOUS;User:{USER};User:CN=client",
        }
        for listener in ("sasl_ssl", "sasl_plaintext"):
            name = f"listener.name.{listener}"
            secured[f"{name}.sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-512"
            secured[f"{name}.scram-sha-512.sasl.jaas.config"] = (
                f"{_KAFKA}.scram.ScramLoginModule required;"
            )
            secured[f"{name}.plain.sasl.jaas.config"] = (
                f'{_KAFKA}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
            )
        return {**plain, **secured}

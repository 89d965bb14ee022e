"""What the contracts look like from outside: JSON Schemas, an AsyncAPI document, and what may change in them."""

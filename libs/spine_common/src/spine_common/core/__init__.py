"""The words of the product as values: no I/O, no clock but its own, no asyncio."""

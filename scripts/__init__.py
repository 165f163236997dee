"""The roof: command lines, local networks, measurements. It may import all; nothing imports it."""

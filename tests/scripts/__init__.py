"""The roof: command lines, local networks, measurements."""

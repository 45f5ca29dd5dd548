"""All cryptography of the project, over bytes; the one room that imports `cryptography`."""

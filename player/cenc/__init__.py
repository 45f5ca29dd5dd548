"""The four protection schemes of Common Encryption over samples, both directions; the only user of AES on samples."""

"""CRC-32C, which TFRecord files carry: google-crc32c's where that is installed, else a slow one."""

try:
    from google_crc32c import extend
except ImportError:  # prediction alone asks for little; a megabyte takes a few tenths of a second here
    _POLYNOMIAL = 0x82F63B78  # Castagnoli's, reflected

    def _entry(byte: int) -> int:
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        return byte

    _TABLE = [_entry(byte) for byte in range(256)]

    def extend(crc: int, chunk: bytes) -> int:
        """The CRC of what had ``crc``, followed by ``chunk``."""
        crc ^= 0xFFFFFFFF
        for byte in chunk:
            crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
        return crc ^ 0xFFFFFFFF


def value(data: bytes) -> int:
    """The CRC of ``data``."""
    return extend(0, data)

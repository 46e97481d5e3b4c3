"""Ed25519 keys: who signs checkpoints, and how a signature is checked. Needs `cryptography`, only when used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenantrank.errors import TraceError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_BYTES, SIGNATURE_BYTES = 32, 64


class Signer:
    """A private key. Neither printing nor pickling it shows the key.

    Attributes
    ----------
    public_key : the 32 bytes that check its signatures
    """

    __slots__ = ("_key", "public_key")

    def __init__(self, private: bytes) -> None:
        if len(private) != KEY_BYTES:
            raise TraceError(f"an Ed25519 private key has {KEY_BYTES} bytes, got {len(private)}")
        self._key: Ed25519PrivateKey = _ed25519().Ed25519PrivateKey.from_private_bytes(private)
        self.public_key: bytes = self._key.public_key().public_bytes_raw()

    @classmethod
    def generate(cls, random: Callable[[int], bytes]) -> Signer:
        """Make a key from a source of randomness such as `os.urandom`."""
        return cls(random(KEY_BYTES))

    @classmethod
    def load(cls, path: str | Path) -> Signer:
        """Read a private key: PEM (PKCS #8, without a password).

        Raises
        ------
        TraceError
            ``unreadable``, without a word of what the file holds
        """
        key = _pem(path, "load_pem_private_key", "a private key", None)
        if not isinstance(key, _ed25519().Ed25519PrivateKey):
            raise TraceError(f"{path} does not hold an Ed25519 key", "unreadable")
        return cls(key.private_bytes_raw())

    def pem(self) -> bytes:
        """Give the private key as PEM, to be kept where only the signer can read it."""
        import cryptography.hazmat.primitives.serialization as forms

        return self._key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())

    def public_pem(self) -> bytes:
        """Give the public key as PEM, to be handed to whoever verifies."""
        import cryptography.hazmat.primitives.serialization as forms

        return self._key.public_key().public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        """Give the 64 bytes of the signature; the same message always has the same one."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"Signer(public_key={self.public_key.hex()})"

    def __reduce__(self) -> Any:
        raise TypeError("a private key is not pickled or copied")


def load_public_key(path: str | Path) -> bytes:
    """Read a public key: PEM, or 64 hex digits.

    Returns
    -------
    bytes
        32

    Raises
    ------
    TraceError
        ``unreadable``
    """
    try:
        text = Path(path).read_bytes().strip()
        if len(text) == 2 * KEY_BYTES:
            return bytes.fromhex(text.decode("ascii"))
    except (OSError, ValueError) as error:
        raise TraceError(f"cannot read the public key {path}: {error}", "unreadable") from error
    key = _pem(path, "load_pem_public_key", "a public key")
    if not isinstance(key, _ed25519().Ed25519PublicKey):
        raise TraceError(f"{path} does not hold an Ed25519 key", "unreadable")
    raw: bytes = key.public_bytes_raw()
    return raw


def signed_by(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether a signature is that of a key over a message."""
    from cryptography.exceptions import InvalidSignature

    try:
        _ed25519().Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise TraceError(
            "signatures need the package cryptography: pip install 'tenantrank[trace]'", "unavailable"
        ) from error
    return ed25519


def _pem(path: str | Path, loader: str, what: str, *password: None) -> Any:
    _ed25519()
    import cryptography.hazmat.primitives.serialization as forms
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return getattr(forms, loader)(Path(path).read_bytes(), *password)
    except OSError as error:
        raise TraceError(f"cannot read {path}: {error.strerror}", "unreadable") from error
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise TraceError(f"{path} does not hold {what} as PEM without a password", "unreadable") from None

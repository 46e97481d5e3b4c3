"""Keys and statements: signatures hold for one key, one kind and one text; keys are not shown."""

from __future__ import annotations

import copy
import pickle
import sys
from pathlib import Path

import pytest

from tenantrank.errors import TraceError
from tenantrank.trace.chain import statement_message
from tenantrank.trace.checkpoints import Checkpoint, Stub, append_checkpoint, checkpoint_of_line, read_checkpoints
from tenantrank.trace.signing import Signer, load_public_key, signed_by
from tests.trace.making import OTHER_SIGNER, SIGNER

LOG = bytes(16)


def test_the_test_vector_of_rfc_8032() -> None:
    signer = Signer(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
    assert signer.public_key.hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert signer.sign(b"\x72").hex().startswith("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da")


def test_keys_in_files(tmp_path: Path) -> None:
    private, public, text = tmp_path / "key.pem", tmp_path / "key.pub", tmp_path / "key.hex"
    private.write_bytes(SIGNER.pem())
    public.write_bytes(SIGNER.public_pem())
    text.write_text(SIGNER.public_key.hex() + "\n")
    assert Signer.load(private).public_key == load_public_key(public) == load_public_key(text) == SIGNER.public_key
    for bad in (b"", b"-----BEGIN PRIVATE KEY-----\n", b"zz" * 32, b"secret material"):
        private.write_bytes(bad)
        for load in (Signer.load, load_public_key):
            with pytest.raises(TraceError) as caught:
                load(private)
            assert caught.value.why == "unreadable"
            assert "secret" not in str(caught.value)
    with pytest.raises(TraceError, match="cannot read"):
        Signer.load(tmp_path / "absent")
    with pytest.raises(TraceError, match="32 bytes"):
        Signer(b"short")


def test_a_key_of_another_sort(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric import x25519

    key = x25519.X25519PrivateKey.generate()
    (tmp_path / "k").write_bytes(key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption()))
    with pytest.raises(TraceError, match="not hold an Ed25519 key"):
        Signer.load(tmp_path / "k")


def test_a_key_is_not_shown_or_copied() -> None:
    secret = bytes(range(32))
    assert secret.hex() not in repr(SIGNER)
    for attempt in (pickle.dumps, copy.deepcopy, copy.copy):
        with pytest.raises(TypeError):
            attempt(SIGNER)
    assert not hasattr(SIGNER, "__dict__")
    assert Signer.generate(lambda count: secret[:count]).public_key == SIGNER.public_key


def test_a_signature_is_for_one_kind_of_statement() -> None:
    message = statement_message("checkpoint", b"{}")
    signature = SIGNER.sign(message)
    assert signed_by(SIGNER.public_key, message, signature)
    assert not signed_by(SIGNER.public_key, statement_message("stub", b"{}"), signature)
    assert not signed_by(OTHER_SIGNER.public_key, message, signature)
    assert not signed_by(bytes(31), message, signature)


def test_checkpoints_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints"
    made = [Checkpoint.sign(SIGNER, LOG, seq, bytes([seq]) * 32, "2026-01-01T00:00:00.000000Z") for seq in (1, 2, 3)]
    synced: list[int] = []
    for checkpoint in made:
        append_checkpoint(path, checkpoint, synced.append)
    assert len(synced) == 3
    assert read_checkpoints(path) == made
    assert all(checkpoint.is_signed("checkpoint", SIGNER.public_key) for checkpoint in made)
    assert not made[0].is_signed("checkpoint", OTHER_SIGNER.public_key)
    path.write_bytes(path.read_bytes() + b'{"v":1}\n')
    with pytest.raises(TraceError, match="line 4"):
        read_checkpoints(path)
    with pytest.raises(TraceError, match="cannot read"):
        read_checkpoints(tmp_path / "absent")
    with pytest.raises(TraceError, match="cannot write"):
        append_checkpoint(tmp_path / "no" / "folder", made[0], synced.append)


def test_only_the_canonical_line_is_a_checkpoint() -> None:
    line = Checkpoint.sign(SIGNER, LOG, 1, bytes(32), "now").line()
    assert checkpoint_of_line(line.encode()).seq == 1
    wrong = [line.replace('"seq":1', seq) for seq in ('"seq":true', '"seq":0', '"seq":"1"')]
    for other in (line.replace(":", ": ", 1), *wrong):
        with pytest.raises(TraceError):
            checkpoint_of_line(other.encode())
    with pytest.raises(TraceError, match="members"):
        Checkpoint.read(Checkpoint.sign(SIGNER, LOG, 1, bytes(32), "now").body.replace(b'"time"', b'"tine"'), bytes(64))


def test_a_stub_reads_as_it_was_signed() -> None:
    stub = Stub.sign(SIGNER, LOG, 5, bytes(48), bytes(32), "before", "now")
    assert Stub.read(stub.body, stub.signature) == stub
    with pytest.raises(TraceError, match="contradicts"):
        Stub.read(stub.body.replace(b'"count":5', b'"count":4'), stub.signature)


def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    with pytest.raises(TraceError, match=r"tenantrank\[trace\]") as caught:
        Signer(bytes(32))
    assert caught.value.why == "unavailable"

"""Keys are read by reference and appear in no text form."""

import copy
import json
import pickle
from dataclasses import asdict, dataclass

import pytest

from tenantrank.errors import InputError
from tenantrank.gateway.secret import Secret, is_reference, secret_of

KEY = "sk-live-0123456789"


def test_every_text_form_hides_the_value(tmp_path):
    secret = secret_of("os.environ/OPENAI_API_KEY", {"OPENAI_API_KEY": KEY}, tmp_path)
    assert secret.reveal() == KEY

    @dataclass
    class Holder:
        key: Secret

    forms = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", repr([secret]), repr(Holder(secret))]
    assert all(KEY not in form and "OPENAI_API_KEY" in form for form in forms)
    assert asdict(Holder(secret))["key"] is secret
    assert copy.copy(secret) is secret
    assert copy.deepcopy({"a": [secret]})["a"][0] is secret
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(secret, protocol)
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        vars(secret)


def test_secrets_are_compared_by_identity():
    assert Secret("a", "A") != Secret("a", "A")


@pytest.mark.parametrize("content", [KEY, KEY + "\n", KEY + "\r\n", KEY + "\n\n"])
def test_line_ends_of_a_file_are_not_part_of_its_secret(tmp_path, content):
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "openai").write_text(content, newline="")
    assert secret_of("file/keys/openai", {}, tmp_path).reveal() == KEY
    assert secret_of(f"file/{tmp_path}/keys/openai", {}, tmp_path / "elsewhere").reveal() == KEY


@pytest.mark.parametrize(
    ("reference", "environ", "says"),
    [
        (KEY, {}, "by reference"),
        ("", {}, "by reference"),
        ("os.environ/", {}, "name of an environment variable"),
        (f"os.environ/{KEY}", {}, "name of an environment variable"),
        ("os.environ/sk_live_lower", {}, "is not set"),
        ("os.environ/MISSING", {}, "MISSING"),
        ("os.environ/EMPTY", {"EMPTY": ""}, "EMPTY is empty"),
        ("os.environ/SPACED", {"SPACED": f"{KEY} {KEY}"}, "SPACED"),
        ("os.environ/SPLIT", {"SPLIT": f"{KEY}\r\nx: y"}, "SPLIT"),
        ("os.environ/LONG", {"LONG": KEY * 1000}, "LONG"),
        ("os.environ/ACCENT", {"ACCENT": f"{KEY}é"}, "ACCENT"),
        ("file/", {}, "path of a file"),
        ("file/none", {}, "cannot be read"),
        ("file/folder", {}, "cannot be read"),
    ],
)
def test_what_is_no_good_reference_is_refused_without_showing_it(tmp_path, reference, environ, says):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=says) as caught:
        secret_of(reference, environ, tmp_path)
    message = str(caught.value)
    assert KEY not in message
    assert "sk_live_lower" not in message
    assert "\n" not in message
    assert caught.value.__cause__ is None


def test_references_are_told_from_values():
    assert is_reference("os.environ/A")
    assert is_reference("file/a")
    assert not is_reference(KEY)

"""The options that say what tokens a call takes, by which commands compare costs."""

from __future__ import annotations

from typing import Annotated

import typer

from tenantrank.catalog.costs import USUAL, Tokens
from tenantrank.errors import InputError, RequestError

InputTokensOption = Annotated[
    float | None, typer.Option("--input-tokens", help="Input tokens of a call, by which costs are worked out; 3000.")
]
OutputTokensOption = Annotated[float | None, typer.Option("--output-tokens", help="Output tokens of a call; 1000.")]
CachedShareOption = Annotated[
    float, typer.Option("--cached-share", help="Share of the input that the provider's cache holds, 0 to 1.")
]
ResidencyOption = Annotated[
    str | None, typer.Option("--residency", help="Place that processing is pinned to, as eu: adds its price factor.")
]


def tokens_of(
    input_tokens: float | None, output_tokens: float | None, cached_share: float, residency: str | None
) -> Tokens:
    """Give the tokens that the options say; 3,000 in and 1,000 out where they do not."""
    try:
        return Tokens(
            USUAL.input if input_tokens is None else input_tokens,
            USUAL.output if output_tokens is None else output_tokens,
            cached_share,
            residency,
        )
    except RequestError as error:
        raise InputError(str(error)) from None

"""`tenantrank serve`: the gateway; `tenantrank key`: a key for one of its callers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenantrank.cli.output import console, note, print_json, waiting
from tenantrank.engine import is_warm, warm
from tenantrank.errors import InputError

if TYPE_CHECKING:
    from tenantrank.gateway.server import Serving

_TRY = """\
curl {url}/v1/chat/completions -H 'content-type: application/json' -d '{{
  "model": "any", "stream": true,
  "messages": [{{"role": "user", "content": "Hello"}}],
  "tenant": {{"plan": "enterprise", "region": "eu", "data_class": "internal", "workload": "interactive", "vip": false,
             "dpa_signed": true, "approved_providers": ["azure", "mistral"]}}}}'"""


def serve(
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="The gateway's configuration (YAML or JSON).")
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Serve the sample rules with simulated providers: no keys, no accounts.")
    ] = False,
    listen: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where clients call; as the configuration says unless given."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Check the configuration and all it names, and end.")] = False,
) -> None:
    """Serve the gateway: one OpenAI-compatible call, the tenant's rule applied, over your own provider keys."""
    if (config is None) is not demo:
        raise InputError(
            "serve: give --config FILE, or --demo" if config is None else "serve: --config or --demo, not both"
        )
    try:
        from tenantrank.gateway.server import loop_factory
        from tenantrank.gateway.server import serve as run
        from tenantrank.gateway.settings import address_of, check_settings, load_settings
    except ImportError as error:
        raise InputError(
            f"serve needs the extra: pip install 'tenantrank[gateway]' ({error.name} is missing)"
        ) from None
    if listen is not None:
        address_of(listen)
    if check:
        if config is None:
            raise InputError("serve: --check goes with --config")
        _check(config)
        return
    if not is_warm():
        with waiting("compiling kernels: some seconds, once for this version on this machine …"):
            warm()
    if config is not None:
        settings = load_settings(config)
        if listen is not None:
            settings = settings.model_copy(update={"server": settings.server.model_copy(update={"listen": listen})})
            # What the file says of keys was said of another address.
            check_settings(settings, "serve")
        run(settings, config.resolve().parent, config.resolve(), _started)
        return
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_demo(listen or "127.0.0.1:8080"))


def key(
    name: Annotated[str, typer.Argument(help="What the key is called in the configuration, the log and traces.")],
    json_: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Make a key for a caller of the gateway, and the lines of the configuration that let it in.

    The key itself is shown this once and kept nowhere.
    """
    from tenantrank.gateway.auth import KeySettings, new_key

    made, digest = new_key()
    try:
        KeySettings.model_validate({"name": name, "sha256": digest})
    except ValueError:
        raise InputError(
            "a key's name begins with a letter, a digit or _, and goes on with these, '.', '@' and '-'"
        ) from None
    if json_:
        print_json({"name": name, "key": made, "sha256": digest})
        return
    console().print(f"key: {made}", markup=False, highlight=False, soft_wrap=True)
    lines = f"keys:\n  - name: {name}\n    sha256: {digest}"
    console().print(f"\nfor the configuration:\n\n{lines}", markup=False, highlight=False, soft_wrap=True)


def _check(config: Path) -> None:
    import os

    from tenantrank.catalog.health import Health
    from tenantrank.gateway.generation import make_generation
    from tenantrank.gateway.logs import utc_now
    from tenantrank.gateway.secret import secret_of
    from tenantrank.gateway.settings import load_settings

    health, today = Health(), utc_now().date()
    settings, folder = load_settings(config), config.resolve().parent
    made = make_generation(settings, folder, os.environ, today, lambda: health)
    if settings.server.operator_key is not None:
        secret_of(settings.server.operator_key, os.environ, folder)
    for warning in (*made.warnings, *made.left_out):
        note(f"warning: {warning}")
    counts = ", ".join(f"{len(reaches):,} for {route}" for route, reaches in made.reaches.items())
    callers = "no keys" if made.keys is None else f"{len(made.keys.callers)} keys"
    console().print(
        f"{config}: good; of {len(made.catalog):,} offers these can be called: {counts}; "
        f"{len(made.tenants):,} tenants, {callers}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


async def _demo(listen: str) -> None:
    import signal

    from tenantrank.gateway.demo import ENVIRON, demo_settings
    from tenantrank.gateway.server import serving, settle_memory

    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with demo_settings(listen, "127.0.0.1:0") as (settings, _), serving(settings, environ=ENVIRON) as running:
        settle_memory()
        _started(running)
        note("providers are simulated: nothing leaves this machine. Try:")
        note(_TRY.format(url=running.url))
        await stopping.wait()


def _started(running: Serving) -> None:
    now = running.state.now
    note(f"serving at {running.url}, for operators at {running.operator_url}")
    counts = ", ".join(f"{len(reaches):,} for {route}" for route, reaches in now.reaches.items())
    note(f"offers that can be called: {counts}; catalog {now.catalog.catalog_id[:12]}")

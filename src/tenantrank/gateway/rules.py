"""Which rule decides a call: exactly one, of those that its key allows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

from tenantrank.errors import PolicyError, TenantError
from tenantrank.gateway.auth import Caller
from tenantrank.gateway.body import Body
from tenantrank.gateway.directory import Directory
from tenantrank.gateway.members import check_members
from tenantrank.gateway.openrouter import policy_of_provider
from tenantrank.gateway.problem import Problem
from tenantrank.policy.memory import Memory
from tenantrank.policy.normal_form import Node
from tenantrank.policy.policy import Policy, admit
from tenantrank.policy.signature import Fields
from tenantrank.tenants import CompiledPolicy, Rulebook

State: TypeAlias = Mapping[str, Any]
_Deciding = TypeVar("_Deciding", Policy, CompiledPolicy)

LONGEST_POLICY = 128 * 1024
"""Most bytes of a policy or of a tenant's state in a call; those that people write have a few thousand."""

_WAYS = ("policy_ir", "tenant", "provider")
_LONGEST_REMEMBERED = 16 * 1024
_HOST_RUN = frozenset({"filter_text", "filter_image", "custom"})


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule of one call.

    Attributes
    ----------
    policy : what decides
    source : where it comes from: ``policy_ir``, ``tenant`` (the call names or describes one), ``key`` (the key's own
        tenant), ``provider`` or ``default``
    tenant : the tenant's id; ``state:`` and 16 hex digits of its content where a state has none; ``None`` where the
        rule is no tenant's. A caller chooses what it says of a tenant: it counts within the caller only
    shown : the policy as a term, where it was translated and the caller has not seen it
    """

    policy: Policy | CompiledPolicy
    source: str
    tenant: str | None = None
    shown: list[Any] | None = None


class Serving(Protocol):
    """What rules are made with: one generation of a server's catalog and configuration."""

    @property
    def fields(self) -> Fields:
        """The catalog's vocabulary."""

    @property
    def directory(self) -> Directory:
        """The catalog's names of providers and models."""

    @property
    def rulebook(self) -> Rulebook | None:
        """The rulebook, bound to the catalog's fields; ``None`` where the server has none."""

    @property
    def tenants(self) -> Mapping[str, State]:
        """States of the tenants that the server knows, by id."""

    @property
    def default(self) -> Policy | CompiledPolicy | None:
        """What decides where nothing is said and the key allows that; ``None``: nothing does."""

    @property
    def remembered(self) -> Memory[Rule]:
        """The rules made of texts before, in this generation; `rule_of` alone uses it."""


def rule_of(body: Body, caller: Caller, serving: Serving) -> Rule:
    """Tell which rule decides a call.

    The body says it by exactly one of ``policy_ir`` (a policy), ``tenant`` (a state, or the id of a tenant that the
    server knows) and ``provider`` (OpenRouter's object, with ``model``), where the key allows that way. A key that
    stands for a tenant allows none: its tenant's rule decides. Where the body says nothing, the server's default
    decides, for keys that allow it.

    Raises
    ------
    Problem
        400 ``ambiguous_rule`` for two rules at once, that of the key included; 400 ``rule_required`` for none; 403
        ``not_permitted`` for a way that the key does not allow; 400 ``invalid_policy`` with ``details`` ``path`` and
        ``reason``, ``invalid_tenant`` or ``invalid_provider``, 404 ``model_not_found``; 400 ``unsupported_member`` and
        ``unknown_member`` as `check_members`; 503 ``tenant_unavailable`` where the state that the server itself has of
        a tenant does not satisfy the rulebook
    """
    members = body.members
    check_members(members.keys())
    given = [way for way in _WAYS if way in members]
    if caller.tenant is not None:
        if given:
            message = f"the key stands for a tenant, whose rule decides; {given[0]!r} would be a second one"
            raise Problem(400, "ambiguous_rule", message, param=given[0])
        return _rule_of_key(caller, serving)
    if len(given) > 1:
        message = f"{given[0]!r} and {given[1]!r} are two rules; a call has exactly one"
        raise Problem(400, "ambiguous_rule", message, param=given[1])
    way = given[0] if given else "default"
    if way not in caller.ways:
        if way == "default":
            raise _required(caller)
        raise Problem(403, "not_permitted", f"this key may not choose the rule by {way!r}", param=way)
    if way == "policy_ir":
        return _rule_of_policy(body, serving)
    if way == "tenant":
        return _rule_of_tenant(body, serving)
    if way == "provider":
        return _rule_of_provider(body, serving)
    if serving.default is None:
        raise _required(caller)
    return Rule(serving.default, "default")


def _required(caller: Caller) -> Problem:
    allowed = [way for way in _WAYS if way in caller.ways]
    how = f"send one of {', '.join(allowed)}" if allowed else "this key allows no way to give one"
    return Problem(400, "rule_required", f"no rule says which offers may serve the call: {how}")


def _rule_of_policy(body: Body, serving: Serving) -> Rule:
    text = _text_of(body, "policy_ir")
    known = serving.remembered.find(("policy_ir", text))
    if known is not None:
        return known
    try:
        policy = admit(text, serving.fields)
    except PolicyError as error:
        details = {"path": error.path, "reason": error.reason}
        raise Problem(400, "invalid_policy", str(error), param="policy_ir", details=details) from None
    return _kept(serving, ("policy_ir", text), Rule(_runnable(policy), "policy_ir"))


def _rule_of_tenant(body: Body, serving: Serving) -> Rule:
    tenant = body.members["tenant"]
    if type(tenant) is str:
        state = serving.tenants.get(tenant)
        if state is None:
            # Without the nearest one: it would be another tenant's name.
            raise Problem(400, "invalid_tenant", "the server knows no tenant of this id", param="tenant")
        return _rule_of_known(tenant, state, "tenant", serving)
    if type(tenant) is not dict:
        raise Problem(400, "invalid_tenant", "a tenant is an id or a state, an object", param="tenant")
    text = _text_of(body, "tenant")
    known = serving.remembered.find(("tenant", text))
    if known is not None:
        return known
    if serving.rulebook is None:
        raise Problem(400, "invalid_tenant", "this server has no rulebook to compile a state with", param="tenant")
    try:
        compiled = serving.rulebook.compile(tenant)
    except TenantError as error:
        details = {"field": error.field, "rule": error.rule}
        raise Problem(400, "invalid_tenant", str(error), param="tenant", details=details) from None
    rule = Rule(_runnable(compiled), "tenant", _name_of(tenant, serving.rulebook))
    return _kept(serving, ("tenant", text), rule)


def _rule_of_key(caller: Caller, serving: Serving) -> Rule:
    tenant = caller.tenant
    if isinstance(tenant, str):
        state = serving.tenants.get(tenant)
        if state is None:
            raise _unavailable()
        return _rule_of_known(tenant, state, "key", serving)
    # One key, one object: found by it without hashing a state.
    known = serving.remembered.find(("key", caller))
    if known is not None:
        return known
    state = tenant or {}
    rulebook = serving.rulebook
    if rulebook is None:
        raise _unavailable()
    rule = Rule(_compiled(state, None, rulebook), "key", _name_of(state, rulebook))
    return serving.remembered.keep(("key", caller), rule, 1)


def _rule_of_known(tenant: str, state: State, source: str, serving: Serving) -> Rule:
    """Give the rule of a tenant whose state is the server's own."""
    known = serving.remembered.find(("id", source, tenant))
    if known is not None:
        return known
    if serving.rulebook is None:
        raise _unavailable()
    rule = Rule(_compiled(state, tenant, serving.rulebook), source, tenant)
    return serving.remembered.keep(("id", source, tenant), rule, len(tenant) + 1)


def _compiled(state: State, tenant: str | None, rulebook: Rulebook) -> CompiledPolicy:
    try:
        return _runnable(rulebook.compile(state, tenant))
    except TenantError as error:
        raise _unavailable() from error


def _rule_of_provider(body: Body, serving: Serving) -> Rule:
    model, provider = body.model, body.members["provider"]
    if type(provider) is not dict:
        raise Problem(400, "invalid_provider", "provider is an object", param="provider")
    sent: Mapping[str, Any] = {}
    key: Hashable | None = ("provider", _text_of(body, "provider"), model)
    if provider.get("require_parameters"):
        # What it asks of offers follows from the rest of the call, which is no part of the key.
        sent, key = body.forwarded, None
    known = None if key is None else serving.remembered.find(key)
    if known is not None:
        return known
    term = policy_of_provider(provider, model, serving.directory, sent)
    try:
        policy = admit(term, serving.fields)
    except PolicyError as error:
        raise Problem(400, "invalid_provider", f"provider: {error.reason}", param="provider") from None
    rule = Rule(policy, "provider", None, term)
    return rule if key is None else _kept(serving, key, rule)


def _text_of(body: Body, name: str) -> bytes:
    text = body.text_of(name) or b""
    if len(text) > LONGEST_POLICY:
        code = {"policy_ir": "invalid_policy", "tenant": "invalid_tenant"}.get(name, "invalid_provider")
        raise Problem(400, code, f"{name!r} is longer than {LONGEST_POLICY} bytes", param=name)
    return text


def _kept(serving: Serving, key: Any, rule: Rule) -> Rule:
    size = len(key[1])
    return rule if size > _LONGEST_REMEMBERED else serving.remembered.keep(key, rule, size + 1)


def _runnable(policy: _Deciding) -> _Deciding:
    """Refuse a policy whose transforms a host would have to run: there is none, and they would silently not be run."""
    admitted = policy.policy if isinstance(policy, CompiledPolicy) else policy
    op = _host_run(admitted.transform)
    if op is not None:
        raise Problem(400, "invalid_policy", f"the transform {op!r} is not run by this server", param="policy_ir")
    return policy


def _host_run(transform: Node) -> str | None:
    waiting = [transform]
    while waiting:
        node = waiting.pop()
        if node.op in _HOST_RUN:
            return node.op
        waiting += node.children
    return None


def _name_of(state: State, rulebook: Rulebook) -> str:
    name = state.get(rulebook.document.key)
    if type(name) is str and name:
        return name[:100]
    text = json.dumps({key: value for key, value in state.items() if value is not None}, sort_keys=True, default=str)
    return f"state:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _unavailable() -> Problem:
    return Problem(503, "tenant_unavailable", "the rule of this tenant cannot be made at the moment")

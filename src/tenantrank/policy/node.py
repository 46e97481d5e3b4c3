"""A subterm in normal form: what everything above the language reads of a policy."""

from __future__ import annotations

from typing import Any, NamedTuple

from tenantrank.policy.signature import is_subterm


class Node(NamedTuple):
    """A subterm in normal form. Equal nodes have equal ``encoding``; a node cannot be changed.

    ``encoding`` is its canonical text without the version prefix; ``children`` are its subterms in normal-form order;
    ``parameters`` its plain arguments in the order of the signature, every number a double.
    """

    # A tuple, because admission makes some twenty of them a policy and no other immutable object is made as fast.
    op: str
    encoding: str
    children: tuple[Node, ...] = ()
    parameters: tuple[Any, ...] = ()
    slots: tuple[str, ...] = ()

    def term(self) -> list[Any]:
        """Give the JSON value of this node, as a fresh copy."""
        children, parameters = iter(self.children), iter(self.parameters)
        if not self.slots:
            return [self.op, *(child.term() for child in children)]
        return [self.op, *(next(children).term() if is_subterm(s) else _copied(next(parameters)) for s in self.slots)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and self.encoding == other.encoding

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.encoding)


def _copied(value: Any) -> Any:
    kind = type(value)
    if kind is list:
        return [_copied(entry) for entry in value]
    if kind is dict:
        return {key: _copied(entry) for key, entry in value.items()}
    return value

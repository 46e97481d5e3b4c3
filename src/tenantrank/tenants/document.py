"""The shape of a rulebook file, as pydantic models: the only place where its text becomes typed data.

A model checks shape alone; what the parts mean together (declared fields, the vocabulary of a catalog) is checked when
the rulebook is prepared. Unknown keys are refused everywhere.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    Tag,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from tenantrank.policy.strict_json import MAX_INTEGER

# Tags name the branch of a union inside pydantic; the mark lets error paths leave them out.
BRANCH_MARK = "~"

_NAME = r"^[A-Za-z_][A-Za-z0-9_.-]*$"
Name = Annotated[str, StringConstraints(pattern=_NAME, max_length=100)]
Number = float


def _scalar(value: Any) -> Any:
    # One check in place of a union, so that one wrong value is one fault.
    if isinstance(value, str | bool) or (isinstance(value, int | float) and abs(value) <= MAX_INTEGER):
        return value
    raise ValueError("expected a string, a boolean or a number")


Scalar = Annotated[Any, BeforeValidator(_scalar), WithJsonSchema({"type": ["string", "boolean", "number"]})]
Term = Annotated[
    list[Any],
    Field(min_length=1),
    WithJsonSchema(
        {"type": "array", "minItems": 1, "prefixItems": [{"type": "string"}], "description": "[op, arg, …]"}
    ),
]


class Model(BaseModel):
    """Base of all parts: nothing is coerced, no key is ignored, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class FieldSpec(Model):
    """One tenant field: its type, its allowed values, and whether a tenant may lack it."""

    type: Literal["string", "enum", "number", "integer", "boolean", "list"]
    values: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="allowed values of an enum or a string, or allowed items of a list"
    )
    minimum: Number | None = None
    maximum: Number | None = None
    optional: bool = Field(False, description="true: a tenant may lack it; otherwise its absence is an error")
    description: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> FieldSpec:
        if self.type == "enum" and self.values is None:
            raise ValueError("an enum needs its values")
        if self.values is not None and self.type not in ("string", "enum", "list"):
            raise ValueError(f"a {self.type} has no list of values")
        if self.values is not None and len(set(self.values)) != len(self.values):
            raise ValueError("a value is listed twice")
        if (self.minimum is not None or self.maximum is not None) and self.type not in ("number", "integer"):
            raise ValueError(f"a {self.type} has neither minimum nor maximum")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError("minimum is greater than maximum")
        return self


class ValueTest(Model):
    """What one tenant field must satisfy; all operators given must hold."""

    eq: Scalar = None
    ne: Scalar = None
    in_: Annotated[list[Scalar], Field(min_length=1)] | None = Field(None, alias="in")
    not_in: Annotated[list[Scalar], Field(min_length=1)] | None = None
    lt: Number | None = None
    le: Number | None = None
    gt: Number | None = None
    ge: Number | None = None
    contains: str | None = Field(None, description="for a list field: this item is in it")
    absent: bool | None = Field(None, description="true: the tenant lacks the field; false: it has it")
    or_absent: bool | None = Field(None, description="what the test gives where the tenant lacks the field")


def _kind_of_test(value: Any) -> str:
    if isinstance(value, ValueTest | dict):
        return "~test"
    return "~list" if isinstance(value, list) else "~value"


Condition = Annotated[
    Annotated[Scalar, Tag("~value")]
    | Annotated[list[Scalar], Field(min_length=1), Tag("~list")]
    | Annotated[ValueTest, Tag("~test")],
    Discriminator(_kind_of_test),
]


class Placeholder(Model):
    """A value taken from the tenant's state."""

    tenant: str


class SoftPlaceholder(Placeholder):
    """A value taken from the tenant's state, or else a default."""

    default: Number | None = None


def _placeholder_or_number(value: Any) -> str:
    return "~placeholder" if isinstance(value, Placeholder | dict) else "~number"


Bound = Annotated[
    Annotated[Number, Tag("~number")] | Annotated[Placeholder, Tag("~placeholder")],
    Discriminator(_placeholder_or_number),
]
Weight = Annotated[
    Annotated[Number, Tag("~number")] | Annotated[SoftPlaceholder, Tag("~placeholder")],
    Discriminator(_placeholder_or_number),
]


class Lowest(Model):
    """Prefer the lowest value of an offer field."""

    lowest: str


class Highest(Model):
    """Prefer the highest value of an offer field."""

    highest: str


class Blend(Model):
    """Prefer a weighted sum of named scorers."""

    blend: dict[str, Weight] = Field(min_length=1)


def _kind_of_preference(value: Any) -> str:
    if isinstance(value, str):
        return "~name"
    if isinstance(value, dict):
        return next((f"~{key}" for key in ("lowest", "highest", "blend") if key in value), "~lowest")
    if isinstance(value, Model):
        return f"~{type(value).__name__.lower()}"
    return "~term"


Scorer = Annotated[
    Annotated[Term, Tag("~term")] | Annotated[Lowest, Tag("~lowest")] | Annotated[Highest, Tag("~highest")],
    Discriminator(_kind_of_preference),
]
Preference = Annotated[
    Annotated[str, Tag("~name")]
    | Annotated[Term, Tag("~term")]
    | Annotated[Lowest, Tag("~lowest")]
    | Annotated[Highest, Tag("~highest")]
    | Annotated[Blend, Tag("~blend")],
    Discriminator(_kind_of_preference),
]


class Rule(Model):
    """What is added for the tenants that a condition names."""

    id: Name
    description: str = ""
    when: dict[str, Condition] = Field(
        {}, description="a test per tenant field; none: the rule applies to every tenant"
    )
    priority: int = Field(
        0, ge=-(10**6), le=10**6, description="decides between rankings of equally specific rules; higher wins"
    )
    require: list[Term] = Field([], description="hard clauses: Pred terms that every offer must satisfy")
    floor: dict[str, Bound] = Field({}, description="offer field: at least this")
    ceiling: dict[str, Bound] = Field({}, description="offer field: at most this")
    unknown_passes: list[str] = Field(
        [], description="offer fields of which an offer may state nothing and yet pass this rule's hard clauses"
    )
    never_relax: bool = Field(
        False, description="true: no suggestion of what to relax ever touches this rule's hard clauses"
    )
    transform: Term | None = Field(None, description="an Xform; those of all rules apply, in file order")
    preference: Preference | None = None
    selector: Term | None = None
    failure_plan: Term | None = None

    @model_serializer(mode="wrap")
    def _without_the_unsaid(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A rulebook from before the key existed keeps its id.
        written: dict[str, Any] = write(self)
        if not self.never_relax:
            written.pop("never_relax", None)
        return written


class Defaults(Model):
    """What a policy has where no rule that applies says otherwise."""

    preference: Preference = ["zero"]
    selector: Term = ["argmax"]
    failure_plan: Term = ["always", {"action": "next_candidate"}]


class Document(Model):
    """A rulebook file."""

    version: Literal[1]
    name: str = ""
    description: str = ""
    key: Name = Field("tenant_id", description="the column that names the tenant")
    ignore: list[str] = Field([], description="keys of a tenant's state that decide nothing")
    fields: dict[Name, FieldSpec] = Field(min_length=1)
    scorers: dict[Name, Scorer] = {}
    defaults: Defaults = Defaults()
    rules: list[Rule] = Field(min_length=1)

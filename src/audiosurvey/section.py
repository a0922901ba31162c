"""The base of every section of the config: unknown keys refused, values fixed once read."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One mapping of the YAML file. Field names are YAML keys; docstrings and field descriptions are the manual."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        allow_inf_nan=False,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )

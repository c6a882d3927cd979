"""The shapes that all resources share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr
from pydantic_core import PydanticCustomError

from intercom_core.model import values
from intercom_core.model.errors import InvalidValueError

MAX_ID = 2**63 - 1


class Input(BaseModel):
    """A request body. Fields that don't exist are errors, so a misspelt one can't be lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def sent(self) -> dict[str, Any]:
        """Only the fields that the request holds: what a PATCH changes."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Output(BaseModel):
    model_config = ConfigDict(frozen=True)


Item = TypeVar("Item")


class Page(Output, Generic[Item]):
    """`next` is the cursor of the following page, null on the last one."""

    items: list[Item]
    next: str | None


def checked(check: Callable[[str, str], str], *, limit: int) -> AfterValidator:
    """A rule of the model as a validator. `limit` keeps the folding of long texts cheap: nothing valid is longer."""

    def run(text: str) -> str:
        if len(text) > 4 * limit:
            raise PydanticCustomError("invalid", "{reason}", {"reason": f"At most {limit} characters are allowed."})
        try:
            return check("", text)
        except InvalidValueError as error:
            raise PydanticCustomError(error.code, "{reason}", {"reason": error.message}) from None

    return AfterValidator(run)


def unset() -> Any:
    """The default of a PATCH field: it may be left out, but null is no value for it."""
    return Field(default_factory=lambda: None)


_building = partial(values.line, limit=values.BUILDING_LIMIT)
_address = partial(values.line, limit=values.TEXT_LIMIT)
_short = partial(values.line, limit=32)
_calling_code = partial(values.optional_line, limit=8)

Name = Annotated[StrictStr, checked(values.name, limit=values.NAME_LIMIT)]
OptionalName = Annotated[
    StrictStr, checked(partial(values.optional_line, limit=values.NAME_LIMIT), limit=values.NAME_LIMIT)
]
BuildingName = Annotated[StrictStr, checked(_building, limit=values.BUILDING_LIMIT)]
AddressLine = Annotated[StrictStr, checked(_address, limit=values.TEXT_LIMIT)]
PostCode = Annotated[StrictStr, checked(_short, limit=32)]
CallingCode = Annotated[StrictStr, checked(_calling_code, limit=8)]
Email = Annotated[StrictStr, checked(values.email, limit=254)]
Phone = Annotated[StrictStr, checked(values.phone, limit=32)]
Mac = Annotated[StrictStr, checked(values.mac, limit=17)]
ApartmentNumber = Annotated[StrictStr, checked(values.apartment_number, limit=6)]
DtmfCode = Annotated[StrictStr, checked(values.dtmf_code, limit=4)]
TimeZone = Annotated[StrictStr, checked(values.time_zone, limit=64)]
AutopLine = Annotated[StrictStr, checked(values.autop_command, limit=values.COMMAND_LIMIT)]
Flag = StrictBool
Id = Annotated[StrictInt, Field(ge=1, le=MAX_ID)]
PathId = Annotated[int, Path(ge=1, le=MAX_ID)]

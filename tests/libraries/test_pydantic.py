"""pydantic: validators, serializers and computed fields, which its core calls from Rust."""

from __future__ import annotations

APP = """
    from typing import Annotated

    from pydantic import (
        AfterValidator, BaseModel, BeforeValidator, Field, PlainSerializer, ValidationError,
        computed_field, field_serializer, field_validator, model_validator, validate_call,
    )
    from pydantic.dataclasses import dataclass

    def even(value):
        if value % 2:
            raise ValueError("odd")
        return value

    def strip(value):
        return value.strip()

    def shown(value):
        return f"<{value}>"

    def start():
        return 2

    class Item(BaseModel):
        name: Annotated[str, BeforeValidator(strip)]
        count: Annotated[int, AfterValidator(even)] = Field(default_factory=start)
        mark: Annotated[str, PlainSerializer(shown)] = "m"

        @field_validator("name")
        @classmethod
        def title(cls, value):
            return value.title()

        @field_validator("count", mode="before")
        @classmethod
        def number(cls, value):
            return int(value)

        @model_validator(mode="before")
        @classmethod
        def rename(cls, data):
            return {"name": data.pop("title"), **data} if "title" in data else data

        @model_validator(mode="after")
        def agree(self):
            if self.name == "Wrong":
                raise ValueError("wrong")
            return self

        @field_serializer("count")
        def as_text(self, value):
            return str(value)

        @computed_field
        @property
        def double(self) -> int:
            return 2 * self.count

        def model_post_init(self, context):
            self.__dict__["seen"] = True

    class Sub(Item):
        pass

    @dataclass
    class Point:
        x: int

        @field_validator("x")
        @classmethod
        def positive(cls, value):
            return abs(value)

    @validate_call
    def buy(count: Annotated[int, AfterValidator(even)]):
        return count

    def attempt(call):
        try:
            call()
        except ValidationError as error:
            return [each["type"] for each in error.errors()]

    def main():
        item = Item(name=" tea ", count="4")
        sub = Sub.model_validate({"title": "milk"})
        seen = [item.name, item.count, sub.name, sub.count]
        seen += [attempt(lambda: Item(name="tea", count=3)), attempt(lambda: Item(name="wrong"))]
        seen += [item.model_dump(), Item.model_validate_json('{"name": "json", "count": 6}').count]
        return [*seen, Point(x=-3).x, buy("8")]
"""
# Items: tea, milk, the odd one, the wrong one, the one from JSON; milk and wrong take the default,
# which is validated neither before nor after.
COUNTS = {
    "app:strip": 5,
    "app:even": 4,
    "app:shown": 1,
    "app:start": 2,
    "app:Item.title": 5,
    "app:Item.number": 3,
    "app:Item.rename": 5,
    "app:Item.agree": 4,
    "app:Item.as_text": 1,
    "app:Item.double.fget": 1,
    "app:Item.model_post_init": 4,
    "app:Point.positive": 1,
    "app:buy": 1,
}


def test_validators_serializers_and_computed_fields(run_program):
    done = run_program(APP, *COUNTS)
    dumped = {"name": "Tea", "count": "4", "mark": "<m>", "double": 8}
    assert done.result == [
        "Tea", 4, "Milk", 2, ["value_error"], ["value_error"], dumped, 6, 3, 8,
    ]  # fmt: skip
    assert done.calls == COUNTS

"""A decorator that holds quota while a function runs."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Callable, Mapping, Optional, TypeVar, Union, cast

from .ask import Ask, AskOptions
from .async_client import AsyncCall, AsyncClient
from .client import Call, Client

if TYPE_CHECKING:
    from typing_extensions import Unpack

F = TypeVar("F", bound=Callable[..., Any])

#: Amounts by quantity, out of what a function is given or what it gives back.
Amounts = Callable[..., Mapping[str, int]]


def metered(
    client: Union[Client, AsyncClient],
    provider: str,
    *,
    subject: Union[str, Callable[..., str]] = "user_id",
    estimate: Optional[Amounts] = None,
    count: Optional[Callable[[Any], Mapping[str, int]]] = None,
    ttl_seconds: Optional[int] = None,
    **options: Unpack[AskOptions],
) -> Callable[[F], F]:
    """Holds quota before each call of a function, and settles with what it used.

    ``subject``: the name of the parameter that says who is metered, or a function that finds it in
    the arguments. ``estimate``: a function that finds amounts in the arguments, before the call.
    ``count``: one that finds them in the result; or else the function says them itself, by
    `report_usage` or `report_response`. Where nobody says anything, the estimate counts. When the
    function raises, what it said counts, and if it said nothing, nothing does.

    A plain function takes a `Client`, one with ``async`` an `AsyncClient`.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        fits(function, client, signature, subject)

        def ask(args: Any, kwargs: Any) -> Ask:
            asked: AskOptions = {**options}
            if estimate is not None:
                asked["usage"] = {**(asked.get("usage") or {}), **estimate(*args, **kwargs)}
            return Ask(who(signature, subject, args, kwargs), provider, **asked)

        def note(call: Any, result: Any) -> None:
            if count is not None:
                call.used(**count(result))

        if isinstance(client, AsyncClient):
            waiting = client

            @functools.wraps(function)
            async def async_wrapper(*args: Any, **kwargs: Any) -> Any:
                async with AsyncCall(waiting, ask(args, kwargs), ttl_seconds) as call:
                    result = await function(*args, **kwargs)
                    note(call, result)
                    return result

            return cast(F, async_wrapper)

        threaded = client

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with Call(threaded, ask(args, kwargs), ttl_seconds) as call:
                result = function(*args, **kwargs)
                note(call, result)
                return result

        return cast(F, wrapper)

    return decorate


def fits(
    function: Callable[..., Any],
    client: Union[Client, AsyncClient],
    signature: inspect.Signature,
    subject: Union[str, Callable[..., str]],
) -> None:
    """Raises `TypeError` where a function cannot be metered this way."""
    name = getattr(function, "__qualname__", repr(function))
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{name} gives its results one by one: use client.call(…) inside of it")
    if isinstance(client, AsyncClient) != inspect.iscoroutinefunction(function):
        raise TypeError(f"{name}: a Client is for plain functions, an AsyncClient for async ones")
    if isinstance(subject, str) and subject not in signature.parameters:
        raise TypeError(f"{name} has no parameter {subject!r} that says who is metered")


def who(
    signature: inspect.Signature,
    subject: Union[str, Callable[..., str]],
    args: Any,
    kwargs: Any,
) -> str:
    if callable(subject):
        return subject(*args, **kwargs)
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return str(bound.arguments[subject])

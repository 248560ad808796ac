"""A route as an actor: who answers the requests of one path, with how many machines at once.

```
edge ─ Route.ask ─▶ begins in the asker's own turn ─▶ Response             nothing had to be waited for
              │                      └▶ Pending ─▶ a task of the route goes on ─▶ Response
              └ all machines are busy ─▶ waits in line, oldest first ─▶ …
```

A handler that does not wait needs no change of tasks at all. One that waits goes on in the nursery of its
route's actor: whoever asked only waits for it, so a client that leaves ends the wait and not the work,
unless the route says so (``disconnect``).

One request's error is that request's 500. When there are too many of them within a while, the actor ends the
life that has them: those at work finish, those in line wait for the next life, which the supervisor begins
after a back-off; until then the service is not ready.

What a request may take is bounded: wall time (504), time in line (503), computing time, and the line itself
(503 with Retry-After, from the age of the line).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from math import ceil, inf
from types import CodeType
from typing import TYPE_CHECKING, Any, Final
from unicodedata import normalize

import trio

from etamil_actors.actors.actor import Actor, ActorSpec, Behaviour
from etamil_actors.actors.moments import as_number
from etamil_actors.actors.programs.activity import Activity
from etamil_actors.actors.programs.exchange import (
    STATUS_OF,
    Headers,
    Request,
    RequestFailed,
    Response,
    refusal,
)
from etamil_actors.actors.programs.prefix import below
from etamil_actors.actors.programs.requests import (
    body_text,
    files_of,
    from_variables,
    json_of,
    request_record,
    why_no_json,
)
from etamil_actors.actors.programs.responses import (
    JSON,
    NO_BODY,
    Answer,
    answer_of,
    compose,
    headers_of,
    is_answer_value,
    status_of,
)
from etamil_actors.actors.programs.route_options import (
    AUTH,
    HANDLER_SECONDS,
    LIVE_MACHINES,
    MACHINES,
    WAITING,
    RouteOptions,
    read_route_options,
)
from etamil_actors.actors.programs.streams import CHUNKS_HEAD, EVENTS_HEAD
from etamil_actors.actors.restart import Backoff, RestartWindow
from etamil_actors.errors import (
    ActivityCancelled,
    BudgetSpent,
    EtamilError,
    ExitRequested,
    Fault,
    Frame,
    InternalError,
    ProgramEnd,
)
from etamil_actors.vm.builtins.json import NotJson, parse_json
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.effects import PATH_PREFIX
from etamil_actors.vm.entering import entered
from etamil_actors.vm.from_text import converted
from etamil_actors.vm.log_line import LEVELS
from etamil_actors.vm.values import FieldInfo, Function, ShapeInfo, Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.driver import Drive
    from etamil_actors.actors.programs.service import RunningService
    from etamil_actors.vm.machine import Image, Machine

COMPUTING_SECONDS: Final = 10.0
"""How long one request may compute, without counting its waits."""

FAILURES: Final = 100
"""Errors of the program …"""
FAILURE_SECONDS: Final = 10.0
"""… within so many seconds that let the actor begin anew."""

BACKOFF: Final = Backoff(initial=0.1, cap=5.0, reset=60.0)

LONGEST_RETRY: Final = 60

STREAMS: Final = ("SSE", "STREAM")

MANY: Final = 1000

CSRF_FIELD: Final = "_csrf"
"""Where a form carries the token of its session (EXTENSIONS §9)."""


class RouteFailingError(EtamilError):
    """Too many requests of a route have failed; it begins anew."""


class SentAway(ProgramEnd):
    """A guard has answered instead of the handler: a response value, such as a redirection."""

    def __init__(self, answer: Value) -> None:
        super().__init__()
        self.answer = answer


class Pending:
    """An answer that has to be waited for: a request in line, or at work."""

    __slots__ = ("_changed", "_on_answer", "_scope", "ends", "line_ends", "request", "response", "route")

    def __init__(self, route: Route, request: Request) -> None:
        self.route = route
        self.request = request
        self.response: Response | None = None
        self.ends = inf if route.seconds is None else request.arrived + route.seconds
        """When its time is over."""
        self.line_ends = request.arrived + (HANDLER_SECONDS if route.seconds is None else route.seconds)
        """Until when it stands in line."""
        self._on_answer: tuple[Callable[[Response], None], ...] = ()
        self._changed: trio.Event | None = None
        self._scope: trio.CancelScope | None = None
        """Around its work, once that has begun."""

    async def wait(self) -> Response:
        """Wait for it. Who is cancelled here ends the wait only. Nobody stands in line for ever."""
        with trio.CancelScope(deadline=self.line_ends):
            while self.response is None and self._scope is None:
                await self._change()
        if self.response is None and self._scope is None:
            self.give(self.route.leave_line(self))
        while self.response is None:
            await self._change()
        return self.response

    def note(self, on_answer: Callable[[Response], None]) -> None:
        """Nobody waits any more: let this be told of the answer."""
        if self.response is not None:
            on_answer(self.response)
        else:
            self._on_answer = (*self._on_answer, on_answer)

    async def _change(self) -> None:
        self._changed = trio.Event()
        await self._changed.wait()

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed.set()

    def begins(self) -> trio.CancelScope:
        """It is at work from now on, within this scope."""
        self._scope = trio.CancelScope(deadline=self.ends)
        self._tell()
        return self._scope

    def give(self, response: Response) -> None:
        """Here it is."""
        self.response = response
        self._tell()
        for on_answer in self._on_answer:
            on_answer(response)

    def abandon(self) -> None:
        """The client has gone, and the handler is not to go on without it."""
        if self._scope is not None:
            self._scope.cancel("the client has gone")
        elif self.response is None:
            self.give(self.route.leave_line(self))


class Route:
    """See the top of the file. It outlives the lives of its actor; the edge's router leads to it."""

    def __init__(
        self,
        service: RunningService,
        method: str,
        pattern: str,
        options: RouteOptions,
        *,
        unit: int = -1,
        function: Function | None = None,
    ) -> None:
        """``unit`` is the number of its body; else ``function`` is the handler; without either it is the
        whole program."""
        self.service = service
        self.method = method
        self.pattern = pattern = below(service.prefix, pattern)
        self.unit = unit
        self.number = -1
        """Of its declaration in the program."""
        self._knows = False
        """Where the top level runs for each request: has it told the options?"""
        self.function = function
        self.folder: str | None = None
        """The files that it serves; such a route runs nothing."""
        self.where: Frame | None = None
        """Where the program declares it."""
        self.name = f"{method} {pattern}"
        self.place = self.name.replace("/", "∕")
        """Its name in the tree, where a slash would part two names."""
        self.is_stream = method in STREAMS
        self.is_live = method == "WS"
        self.is_lasting = self.is_stream or self.is_live
        """Does a request stay, and its handler send as it goes?"""
        self._take_options(options)
        self.running: dict[Activity, None] = {}
        """The requests at work, oldest first."""
        self.line: deque[Pending] = deque()
        """Those that wait for a machine, oldest first."""
        self.answered = 0
        """Requests that were answered, whatever the answer was."""
        self.failed = 0
        """Those of them that ended with an error of the program."""
        self._failures = RestartWindow(FAILURES, FAILURE_SECONDS)
        self._behaviour: RouteBehaviour | None = None
        self._is_over = False
        self._is_moving = False
        self._idle: trio.Event | None = None
        self._places: list[tuple[int, Callable[[Request], Value]]] | None = None
        self._may_change = method not in ("GET", "HEAD", "OPTIONS", *STREAMS, "WS")
        self._is_whole = unit < 0 and function is None

    def _take_options(self, options: RouteOptions) -> None:
        self.options = options
        lasting = self.is_lasting
        self.concurrency = options.concurrency or (LIVE_MACHINES if lasting else MACHINES)
        self.queue = options.queue if options.queue is not None else (0 if lasting else WAITING)
        seconds = options.timeout
        if seconds is None and not lasting:
            seconds = self.service.system.handler_seconds
        self.seconds = seconds
        """How long a request may take; for ever if nothing is said of a stream."""
        self._is_plain = not (
            options.guards or options.body or options.query or options.parameters or options.answer
        )

    def look_again(self) -> None:
        """What the process says of all routes has changed."""
        self._take_options(self.options)

    def __repr__(self) -> str:
        return f"<route {self.name}>"

    @property
    def is_up(self) -> bool:
        """Does a life of its actor take requests?"""
        return self._behaviour is not None

    @property
    def queue_age(self) -> float:
        """For how long the oldest in line has waited."""
        return trio.current_time() - self.line[0].request.arrived if self.line else 0.0

    async def wait_idle(self) -> None:
        """Wait until none of its requests is at work."""
        while self.running:
            self._idle = self._idle or trio.Event()
            await self._idle.wait()

    # ── asking ───────────────────────────────────────────────────────────────────────────────────

    def ask(self, request: Request) -> Response | Pending:
        """Answer a request, at once if nothing has to be waited for."""
        request.route = self
        behaviour = self._behaviour
        if self._is_over:
            return self._too_busy()
        if behaviour is None or self.line or len(self.running) >= self.concurrency:
            return self._line_up(request)
        return self._begin(request, behaviour, None)

    def _line_up(self, request: Request) -> Response | Pending:
        if len(self.line) >= self.queue and (self._behaviour is not None or len(self.line) >= MANY):
            return self._too_busy()
        pending = Pending(self, request)
        self.line.append(pending)
        return pending

    def leave_line(self, pending: Pending) -> Response:
        """It waits no more, and is answered so."""
        response = self._too_busy()
        if pending in self.line:
            self.line.remove(pending)
        return response

    def _too_busy(self) -> Response:
        self.answered += 1
        seconds = min(max(ceil(self.queue_age), 1), LONGEST_RETRY)
        return refusal(Fault("overloaded"), [(b"retry-after", b"%d" % seconds)])

    def next_in_line(self) -> None:
        """A machine has become free, or a life has begun: whoever waits longest goes on."""
        if self._is_moving:
            return  # somebody who stands above on the stack goes on with the line
        self._is_moving = True
        try:
            self._move_line()
        finally:
            self._is_moving = False

    def _move_line(self) -> None:
        behaviour = self._behaviour
        while self.line and behaviour is not None and len(self.running) < self.concurrency:
            pending = self.line.popleft()
            if pending.line_ends <= trio.current_time():
                pending.give(self._too_busy())
                continue
            response = self._begin(pending.request, behaviour, pending)
            if isinstance(response, Response):
                pending.give(response)

    # ── running ──────────────────────────────────────────────────────────────────────────────────

    def _begin(
        self, request: Request, behaviour: RouteBehaviour, pending: Pending | None
    ) -> Response | Pending:
        service = self.service
        activity = Activity(service, self.name)
        activity.request = request
        activity.trace = request.traceparent
        if not self.is_lasting:
            activity.budget = COMPUTING_SECONDS
        self.running[activity] = None
        handed_on = False
        try:
            activity.enter(self._machine_for(request))
            if self.is_lasting and request.method != "HEAD":
                pending = pending or Pending(self, request)
                handed_on = True
                scope = pending.begins()
                behaviour.start(self._last, activity, request, pending, scope, behaviour)
                return pending
            drive = activity.driving(self._handle)
            value = drive.begin(activity, request)
            if drive.is_over and not activity.owes_something:
                return self._response(activity, value)
            pending = pending or Pending(self, request)
            handed_on = True
            behaviour.start(self._go_on, activity, pending, pending.begins(), drive, value)
            return pending
        except BaseException as problem:  # noqa: BLE001  an answer, or raised again
            response = self._refused(activity, problem)
            if not activity.owes_something:
                return response
            pending = pending or Pending(self, request)
            handed_on = True
            behaviour.start(self._give_back, activity, pending, response)
            return pending
        finally:
            if not handed_on:
                self._over(activity)

    def _over(self, activity: Activity) -> None:
        """The request is answered, and nothing of it runs any more."""
        self.answered += 1
        del self.running[activity]
        machine, activity.machine = activity.machine, None
        if machine is not None:
            self.service.give_back_clean(machine)
        if self.line:
            self.next_in_line()
        if self._idle is not None and not self.running:
            self._idle.set()
            self._idle = None

    async def _go_on(
        self, activity: Activity, pending: Pending, scope: trio.CancelScope, drive: Drive, step: Any
    ) -> None:
        """Finish a request whose handler waits."""
        response: Response | None = None
        try:
            with scope:
                try:
                    response = await self._finished(activity, drive, step)
                except (Exception, ProgramEnd) as problem:  # noqa: BLE001  an answer
                    response = self._refused(activity, problem)
        finally:
            pending.give(response or self._cut_short(pending))
            self._over(activity)

    async def _give_back(self, activity: Activity, pending: Pending, response: Response) -> None:
        """It has failed before it had to wait; what it holds is given back first."""
        try:
            await activity.close(False)
        finally:
            pending.give(response)
            self._over(activity)

    async def _finished(self, activity: Activity, drive: Drive, step: Any) -> Response:
        """Go on with what was begun, to the answer. Raises: what the program raises."""
        well = False
        try:
            value = step if drive.is_over else await drive.carry_on(step)
            response = self._response(activity, value)
            well = True
        finally:
            await activity.close(well)
        return response

    def _cut_short(self, pending: Pending) -> Response:
        if trio.current_time() >= pending.ends and self.seconds is not None:
            return refusal(Fault("timeout", seconds=as_number(self.seconds)))
        return refusal(Fault("overloaded"))  # the process is taken down, or the client has gone

    async def _last(
        self,
        activity: Activity,
        request: Request,
        pending: Pending,
        scope: trio.CancelScope,
        behaviour: RouteBehaviour,
    ) -> None:
        """Serve a stream or a WebSocket: its handler sends as it goes."""
        from etamil_actors.actors.programs.live import serve_live
        from etamil_actors.actors.programs.streams import serve_stream

        goodbye = behaviour.goodbye
        response: Response | None = None

        async def handle() -> Response:
            drive = activity.driving(self._handle)
            step = drive.begin(activity, request)
            return await self._finished(activity, drive, step)

        def head() -> tuple[int, Headers]:
            return head_of(activity.said)

        try:
            with scope:
                try:
                    if self.is_live:
                        response = await serve_live(activity, handle, goodbye, head=head)
                    else:
                        events = self.method == "SSE"
                        response = await serve_stream(activity, handle, goodbye, is_events=events, head=head)
                    response = response or Response(200, [])  # it was stopped: nobody is there to be answered
                except (Exception, ProgramEnd) as problem:  # noqa: BLE001  an answer, if one can be given
                    response = self._refused(activity, problem)
        finally:
            pending.give(response or self._cut_short(pending))
            self._over(activity)

    # ── in the program's greenlet ────────────────────────────────────────────────────────────────

    def _handle(self, activity: Activity, request: Request) -> Value:
        """What a request runs: guards, what it has to look like, the handler."""
        machine = activity.machine
        assert machine is not None
        if self._may_change:
            request.check_csrf()
        if self.service.prelude_per_request and not self._is_whole:
            machine.run_top()
            self._learn(machine)
        if not self._is_plain:
            self._let_in(activity, request)
        if request.line is not None:
            request.line.let_in()
        elif self.is_lasting:
            return None  # HEAD: it is let in, and that is all
        if self.unit >= 0:
            return machine.run_body(self.unit)
        if self.function is not None:
            return machine.call(machine.adopt(self.function), request_record(request))
        return machine.run_top()

    def _learn(self, machine: Machine) -> None:
        """The top level has run for this request, and told the options of the route."""
        written = machine.declared.get(self.number, (None, None))[1]
        options = read_route_options(written)
        if self._knows:
            return
        before = self.options
        self._take_options(options)
        try:
            self.service.system.routes_changed()
        except Fault:
            self._take_options(before)
            raise
        self._knows = True

    def _let_in(self, activity: Activity, request: Request) -> None:
        options = self.options
        for guard in options.guards:
            self._pass(guard, activity, request)
        shapes = self.service.image.shapes
        given = request.given
        if options.parameters is not None:
            texts = converted(options.parameters, request.parameters.items(), shapes)
            given["parameters"] = entered(options.parameters, texts, shapes)
        if options.query is not None:
            texts = converted(options.query, request.query_pairs(), shapes)
            given["query"] = entered(options.query, texts, shapes)
        if options.body is not None:
            self._take_body(request, shapes)

    def _take_body(self, request: Request, shapes: dict[str, ShapeInfo]) -> None:
        wanted = self.options.body
        assert wanted is not None
        if request.is_form:
            # The form's own token is for the edge, unless the shape has such a field.
            shape = shapes.get(wanted.shape) if wanted.kind == "Shape" else None
            is_ours = shape is not None and CSRF_FIELD not in shape.fields
            pairs = [pair for pair in request.form_pairs() if not is_ours or pair[0] != CSRF_FIELD]
            texts = converted(wanted, pairs, shapes)
            request.given["form"] = request.json = entered(wanted, texts, shapes)
            return
        value = json_of(request)
        if value is None and not wanted.optional:
            raise _no_json(request)
        request.json = entered(wanted, value, shapes)

    def _pass(self, guard: Any, activity: Activity, request: Request) -> None:
        """Raises: Fault ``auth.*``, or what the guard raises."""
        machine = activity.machine
        assert machine is not None
        if type(guard) is str:
            if not request.is_authenticated and (guard == AUTH or request.user is None):
                made = request.authenticate()
                user: Any = activity.wait(made) if hasattr(made, "__await__") else made
                request.is_authenticated = True
                if request.user is None:  # what a guard of the program has told stands
                    self._recognise(request, user)
            if guard != AUTH and not request.has_role(guard):
                raise Fault("auth.forbidden")
            return
        answer = machine.call(machine.adopt(guard), request_record(request))
        if is_answer_value(answer):
            raise SentAway(answer)
        if isinstance(answer, dict):
            self._recognise(request, answer)
        elif answer is not True:
            raise Fault("auth.forbidden")

    @staticmethod
    def _recognise(request: Request, user: Value) -> None:
        request.user = user
        if request.record is not None:
            request.record = request.record.copy()
            request.record["user"] = user

    # ── machines ─────────────────────────────────────────────────────────────────────────────────

    def _machine_for(self, request: Request) -> Any:
        service = self.service
        places = self._places
        if places is None:
            places = self._places = list(self._given_places())
        if self._is_whole or service.prelude_per_request:
            return service.take_machine_before_prelude([(place, read(request)) for place, read in places])
        if not places:
            return service.take_machine()
        return service.take_machine_with([(place, read(request)) for place, read in places])

    def _given_places(self) -> Iterator[tuple[int, Callable[[Request], Value]]]:
        """The variables of 2.0 that the program reads, and what they hold."""
        shared = {name: place for place, name in enumerate(self.service.image.program.shared)}
        for name, read in VARIABLES.items():
            if name in shared:
                yield shared[name], read
        for segment in normalize("NFC", self.pattern).split("/"):
            name = segment[1:]
            if segment[:1] in (":", "*") and (place := shared.get(PATH_PREFIX + name)) is not None:
                yield place, lambda request, name=name: request.parameters.get(name)  # type: ignore[misc]

    # ── what came of it ──────────────────────────────────────────────────────────────────────────

    def _response(self, activity: Activity, value: Value) -> Response:
        """Raises: Fault, the answer cannot travel or is not what the route has promised."""
        request = activity.request
        if request is not None and request.line is not None and request.line.is_open:
            return Response(200, [])  # it has been sent
        said = activity.said
        if self.is_stream and said is None and value is None:
            head = EVENTS_HEAD if self.method == "SSE" else CHUNKS_HEAD
            return Response(200, list(head))  # a stream of nothing
        if self.service.answer_places:
            said = from_variables(activity)
        answer = answer_of(value, said)
        response = compose(answer)
        promised = self.options.answer
        if promised is not None and response.status < 300 and response.status not in NO_BODY:
            self._keep_promise(answer, promised)
        return response

    def _keep_promise(self, answer: Answer, promised: FieldInfo) -> None:
        body = answer.body
        if type(body) is str and promised.kind != "Text":  # JSON that was made by hand, as in 2.0
            try:
                body = parse_json(body)
            except NotJson:
                pass  # then it is a text, and that is what is told
        try:
            entered(promised, body, self.service.image.shapes)
        except Fault as misfit:
            raise Fault(
                "value.invalid",
                name=f"வழி: {self.pattern}",
                problem_ta=f"விடை சொன்ன வகையில் இல்லை: {misfit.tamil}",
                problem_en=f"the answer is not of the type that the route tells: {misfit.english}",
            ) from None

    def _refused(self, activity: Activity, problem: BaseException) -> Response:
        """The error as an answer. Raises it again when it is none."""
        if isinstance(problem, ExitRequested):
            self.service.system.leave(problem.status)
            if activity.said is None:
                return refusal(Fault("overloaded"))
            return self._composed(activity, activity.said)
        if isinstance(problem, SentAway):
            return self._composed(activity, answer_of(problem.answer, None))
        if isinstance(problem, ActivityCancelled):
            return refusal(Fault("overloaded"))  # it was asked to stop
        if isinstance(problem, BudgetSpent):
            problem = problem.fault
        elif not isinstance(problem, Exception):
            if isinstance(problem, ProgramEnd):  # the output has gone, say; the process will hear of it
                problem = InternalError(repr(problem))
            else:
                raise problem
        fault = problem if isinstance(problem, Fault) else Fault("internal", problem=repr(problem))
        if fault is not problem:
            fault.__cause__ = problem
        if fault.code not in STATUS_OF:
            self._count_failure(activity, fault)
        return refusal(fault, _hints(fault))

    def _composed(self, activity: Activity, answer: Answer) -> Response:
        """The answer; one that cannot travel is an error like any other."""
        try:
            return compose(answer)
        except Fault as fault:
            return self._refused(activity, fault)

    def _count_failure(self, activity: Activity, fault: Fault) -> None:
        self.failed += 1
        assert activity.request is not None
        path = f"{self.service.path}/routes/{self.place}"
        self.service.system.tell(
            RequestFailed(trio.current_time(), path, self.name, activity.request.id, fault)
        )
        if not self._failures.admit(trio.current_time()) and self._behaviour is not None:
            self._failures = RestartWindow(FAILURES, FAILURE_SECONDS)
            self._behaviour.begin_anew()

    # ── the actor ────────────────────────────────────────────────────────────────────────────────

    def spec(self) -> ActorSpec:
        """The actor that runs its requests."""
        longest = (HANDLER_SECONDS if self.seconds is None else self.seconds) + 1.0
        return ActorSpec(
            name=self.place, make=lambda: RouteBehaviour(self), backoff=BACKOFF, shutdown=longest
        )

    def opened(self, behaviour: RouteBehaviour) -> None:
        """A life has begun."""
        self._behaviour = behaviour
        self.next_in_line()

    def closed(self) -> None:
        """The life takes no more requests."""
        self._behaviour = None

    def move_line_to(self, other: Route | None) -> None:
        """Who waits here goes on there, where the service has new code; or is told that there is no such
        route any more."""
        while self.line:
            pending = self.line.popleft()
            if other is None:
                pending.give(refusal(Fault("not_found")))
            else:
                pending.route = other
                pending.request.route = other
                other.line.append(pending)
        if other is not None:
            other.next_in_line()

    def end(self) -> None:
        """There will be no other life: who waits in line is told, and whoever still comes."""
        self._is_over = True
        while self.line:
            self.line.popleft().give(self._too_busy())


class RouteBehaviour(Behaviour):
    """One life of a route: the nursery in which its requests run."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self._nursery: trio.Nursery | None = None
        self._is_failing = False
        self._ends = trio.Event()
        self.goodbye = trio.Event()
        """Set when its streams and WebSockets are to part: this life ends, or the process does."""

    async def work(self, actor: Actor) -> None:
        """Run what is asked, until it is to end; those at work finish.

        Raises:
            RouteFailingError: there were too many errors.
        """
        async with trio.open_nursery() as requests:
            self._nursery = requests
            self.route.opened(self)
            try:
                async with trio.open_nursery() as watching:
                    watching.start_soon(self._hear_stop, actor)
                    watching.start_soon(self._hear_goodbye)
                    await self._ends.wait()
                    watching.cancel_scope.cancel("the life ends")
            finally:
                self.route.closed()
                self.goodbye.set()
        if self._is_failing:
            much = f"more than {FAILURES} errors in {FAILURE_SECONDS:g} s"
            raise RouteFailingError(f"{self.route.name}: {much}")

    async def on_stop(self, actor: Actor, exit: Any) -> None:
        """Nobody waits for what will not come."""
        if actor.is_stopping:
            self.route.end()

    async def _hear_stop(self, actor: Actor) -> None:
        await actor.stopping.wait()
        self._ends.set()

    async def _hear_goodbye(self) -> None:
        await self.route.service.system.goodbye.wait()
        self.goodbye.set()

    def begin_anew(self) -> None:
        """This life has failed too often."""
        self._is_failing = True
        self.route.closed()
        self._ends.set()

    def start(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Run this in a task of the route."""
        assert self._nursery is not None
        self._nursery.start_soon(function, *arguments, name=self.route.name)


def _no_json(request: Request) -> Fault:
    if request.body.strip() == b"null":
        tamil, english = "மதிப்பு இல்லை", "it is missing"
    elif request.body:
        tamil, english = why_no_json(request)
    else:
        tamil, english = "உடலுரை தேவை (JSON)", "a body is wanted (JSON)"
    fields = {"body": f"{tamil}  ({english})"}
    return Fault("validation", tamil=tamil, english=english, details={"fields": fields})


_TRY_LATER: Final = frozenset({
    "overloaded", "rate_limited", "breaker.open", "db.conflict", "db.unavailable", "redis.unavailable",
    "auth.unavailable",
})  # fmt: skip


def _hints(fault: Fault) -> Headers:
    """Headers that belong to some refusals."""
    if fault.code in _TRY_LATER:
        seconds = fault.details.get("retry_after", 1)
        return [(b"retry-after", b"%d" % (seconds if type(seconds) is int else 1))]
    return []


VARIABLES: Final[dict[str, Callable[[Request], Value]]] = {
    "request_method": lambda request: request.method,
    "request_path": lambda request: request.path,
    "request_body": body_text,
    "query_params": lambda request: request.query(),
    "headers": lambda request: request.headers(),
    "path_params": lambda request: dict(request.parameters),
    "request_fields": lambda request: request.multipart_fields(),
    "request_files": files_of,
}
"""The variables of 2.0 (REFERENCE §19.3)."""


# ---- the routes of a program ----------------------------------------------------------


def declared_routes(service: RunningService) -> list[Route]:
    """The routes that the program declares, in the order of the source.

    Raises:
        Fault: an option has no sense.
    """
    program = service.image.program
    routes: list[Route] = []
    handlers = iter(service.handlers)
    for number, row in enumerate(program.declared):
        if row.kind == "handler" and service.prelude_per_request:
            problem = Fault(
                "config",
                problem_ta="‘prelude: per_request’ உள்ள சேவையில் server.on இயங்காது; ‘வழி’ பயன்படுத்துங்கள்",
                problem_en="server.on does not work in a service with ‘prelude: per_request’; use வழி",
            )
            problem.trace = (Frame(*program.place_of(row.place), 1, "server.on"),)
            raise problem
        if row.kind == "handler":
            # Written once in the text, and run once by the top level, unless it stands in a loop.
            routes.extend(_handler_route(service, one) for one in [next(handlers, None)] if one is not None)
        if row.kind != "route" or not (number in service.declared or service.prelude_per_request):
            continue
        _, written, folder = service.declared.get(number, (None, None, None))
        where = Frame(*program.place_of(row.place), 1, "வழி")
        try:
            if not row.path:
                raise Fault(
                    "config",
                    problem_ta="வழியின் பாதை மேற்கோளுக்குள் எழுதிய உரையாக இருக்க வேண்டும்",
                    problem_en="the path of a route is a text that is written out",
                )
            if row.name == "STATIC" and folder is None:
                raise Fault(
                    "config",
                    problem_ta="‘prelude: per_request’ உள்ள சேவை நிலைக்கோப்புகளைத் தராது",
                    problem_en="a service with ‘prelude: per_request’ serves no static files",
                )
            options = read_route_options(written)
        except Fault as problem:
            problem.trace = (where,)
            raise
        route = Route(service, row.name, row.path, options, unit=row.unit)
        route.where, route.number = where, number
        if row.name == "STATIC":
            route.folder = text_of(folder)
        routes.append(route)
    routes.extend(_handler_route(service, one) for one in handlers)
    if service.as_whole:
        routes = [Route(service, method, "/", RouteOptions()) for method in ("GET", "POST", "PUT", "DELETE")]
    return routes


def _handler_route(service: RunningService, given: tuple[str, str, RouteOptions, Any]) -> Route:
    method, path, options, function = given
    return Route(service, method, path, options, function=function)


def is_whole(image: Image) -> bool:
    """Has it neither routes nor any word of a service? Then it answers ``/`` by running as a whole."""
    program = image.program
    if program.serves:
        return False
    if any(row.kind in ("route", "handler", "job", "every", "on_stop") for row in program.declared):
        return False
    return WATCHING.isdisjoint(_texts(program.code))


WATCHING: Final = frozenset((*LEVELS, "_count", "_timing", "_gauge"))
"""Words of services that a mere script may use as well, so that they do not count as serving."""


def _texts(code: CodeType) -> Iterator[str]:
    for constant in code.co_consts:
        if type(constant) is str:
            yield constant
        elif isinstance(constant, CodeType):
            yield from _texts(constant)


def head_of(said: Answer | None) -> tuple[int, Headers]:
    """The status and headers with which a stream begins. Raises: Fault, they cannot travel."""
    if said is None:
        return 200, []
    return status_of(said.status), [pair for pair in headers_of(said.headers) if pair is not JSON]

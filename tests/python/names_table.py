"""Programs whose locks have known names.

Each is a file app.py.  Where a line ends in `#: a b`, the locks made by it have the labels
"app.py:<line>:a" and "app.py:<line>:b", in this order; `-` is an anonymous one,
"app.py:<line>".  `@Owner` after the names is their owner.  In FOUND the locks are there before
the profiler is: use(lock) stands for its first use, and the label is of that line.

A runner gives a program what PREAMBLE imports (on its line 1) and, in FOUND, use().
"""

import re
import sys

PREAMBLE = ("import contextlib, dataclasses, functools, logging, queue, threading, types;"
            " from threading import Barrier, BoundedSemaphore, Condition, Event, Lock, RLock, Semaphore;"
            " from queue import LifoQueue, PriorityQueue, Queue\n")

CREATED = {
    "global": """
lock = Lock()  #: lock
""",
    "global from a function": """
def make():
    global lock
    lock = Lock()  #: lock
make()
""",
    "local": """
def work():
    lock = Lock()  #: lock @work
    return lock
work()
""",
    "reentrant": """
guard = RLock()  #: guard
""",
    "annotated": """
lock: object = Lock()  #: lock
def work():
    inner: object = Lock()  #: inner
work()
""",
    "class attribute": """
class Store:
    lock = Lock()  #: lock @Store
    class Inner:
        guard: object = RLock()  #: guard @Store.Inner
""",
    "instance attribute": """
class CacheManager:
    def __init__(self):
        self.lock = Lock()  #: lock @CacheManager
        self.typed: object = Lock()  #: typed @CacheManager
CacheManager()
""",
    "instance attribute, class method": """
class Pool:
    @classmethod
    def prepare(cls):
        cls.lock = Lock()  #: lock @Pool
Pool.prepare()
""",
    "private, mangled": """
class CacheManager:
    __shared = Lock()  #: _CacheManager__shared @CacheManager
    def __init__(self):
        self.__internal_lock = Lock()  #: _CacheManager__internal_lock @CacheManager
CacheManager()
""",
    "attribute of another object": """
box = types.SimpleNamespace()
box.lock = Lock()  #: lock
box.inner = types.SimpleNamespace()
box.inner.guard = Lock()  #: guard
""",
    "slot": """
class Slotted:
    __slots__ = ("lock", "__hidden")
    def __init__(self):
        self.lock = Lock()  #: lock @Slotted
        self.__hidden = Lock()  #: _Slotted__hidden @Slotted
Slotted()
""",
    "closure cell": """
def outer():
    lock = Lock()  #: lock
    def inner():
        with lock:
            pass
    inner()
outer()
""",
    "nonlocal": """
def outer():
    lock = None
    def inner():
        nonlocal lock
        lock = Lock()  #: lock
    inner()
    return lock
outer()
""",
    "walrus": """
if (lock := Lock()):  #: lock
    pass
def work():
    while not (mine := Lock()):  #: mine
        pass
work()
""",
    "chained": """
first = second = Lock()  #: first
class Twice:
    def __init__(self):
        self.one = self.two = Lock()  #: one
Twice()
""",
    "unpacking": """
a, b = Lock(), Lock()  #: a b
def work():
    x, y, z = Lock(), Lock(), Lock()  #: x y z
    p, q, r, s = Lock(), Lock(), Lock(), Lock()  #: p q r s
    [k, m] = [Lock(), Lock()]  #: k m
    return x, y, z, p, q, r, s, k, m
work()
""",
    "unpacking what a helper made": """
def two(n):
    first = Lock()  #: first
    return (Lock(), n)
def three():
    return [Lock(), None, Lock()]
class Pair:
    def __init__(self):
        self.reading, self.n = two(1)  #: reading @Pair
def work():
    one, _, other = three()  #: one other
    return one, other
Pair()
work()
""",
    "conditional": """
def work(given=None, wanted=True):
    one = given or Lock()  #: one
    two = Lock() if wanted else None  #: two
    three = None if not wanted else Lock()  #: three
    return one, two, three
work()
""",
    "item": """
locks = {}
locks["a"] = Lock()  #: locks[...]
class Keyed:
    def __init__(self):
        self.locks = {}
        self.locks[0] = Lock()  #: locks[...] @Keyed
        self.nested = {"x": {}}
        self.nested["x"]["y"] = Lock()  #: nested[...]
Keyed()
""",
    "list": """
locks = [Lock(), Lock()]  #: locks[...] locks[...]
pair = (Lock(), Lock())  #: pair[...] pair[...]
many = {Lock()}  #: many[...]
padded = [Lock()] * 3  #: padded[...]
""",
    "dict": """
locks = {"a": Lock(), "b": Lock()}  #: locks[...] locks[...]
def work(key):
    mine = {key: Lock()}  #: mine[...]
    return mine
work(1)
""",
    "list comprehension": """
locks = [Lock() for _ in range(2)]  #: locks[...] locks[...]
class Striped:
    def __init__(self, n):
        self.stripes = [Lock() for _ in range(n)]  #: stripes[...] stripes[...] stripes[...] @Striped
        self.some = [Lock() for i in range(n) if i]  #: some[...] some[...]
Striped(3)
""",
    "dict and set comprehension": """
locks = {i: Lock() for i in range(2)}  #: locks[...] locks[...]
def work():
    mine = {Lock() for _ in range(2)}  #: mine[...] mine[...]
    return mine
work()
""",
    "generator expression": """
locks = tuple(Lock() for _ in range(2))  #: locks[...] locks[...]
def work():
    mine = list(Lock() for _ in range(2))  #: mine[...] mine[...]
    by_name = dict((i, Lock()) for i in range(1))  #: by_name[...]
    return mine, by_name
work()
""",
    "container's methods": """
class Registry:
    def __init__(self):
        self.locks = []
        self.by_name = {}
    def grow(self):
        self.locks.append(Lock())  #: locks[...] @Registry
        return self.by_name.setdefault("x", Lock())  #: by_name[...] @Registry
Registry().grow()
""",
    "setattr": """
class Named:
    pass
thing = Named()
setattr(thing, "guard", Lock())  #: guard
object.__setattr__(thing, "other", Lock())  #: other
""",
    "helper function": """
def make_lock():
    return Lock()
def make_twice():
    return make_lock()
lock = make_lock()  #: lock
def work():
    mine = make_twice()  #: mine @work
    return mine
work()
class Helped:
    def __init__(self):
        self.lock = make_lock()  #: lock @Helped
Helped()
""",
    "helper, lambda and partial": """
factory = lambda: Lock()
lock = factory()  #: lock
made = functools.partial(Lock)()  #: made
""",
    "helper that returns several": """
def make_locks():
    return [Lock() for _ in range(2)]
stripes = make_locks()  #: stripes[...] stripes[...]
""",
    "generator function": """
def each():
    for _ in range(2):
        yield Lock()
for lock in each():  #: lock lock
    pass
""",
    "cached property and property": """
class Lazy:
    @functools.cached_property
    def lock(self):
        return Lock()
    @property
    def fresh(self):
        return Lock()
    def use(self):
        with self.lock:  #: lock @Lazy
            pass
        with self.fresh:  #: fresh @Lazy
            pass
Lazy().use()
""",
    "with": """
with Lock() as l:  #: l
    pass
with Lock():  #: -
    pass
""",
    "anonymous": """
Lock()  #: -
repr(Lock())  #: -
Lock().acquire()  #: -
""",
    "argument": """
class Thing:
    def __init__(self, *args, **kwargs):
        pass
thing = Thing(lock=Lock())  #: lock
thing = Thing(1, 2, guard=Lock(), n=3)  #: guard
thing = Thing(Lock())  #: -
""",
    "argument of a Condition": """
ready = Condition(Lock())  #: ready
class Gate:
    def __init__(self):
        self.opened = Condition(lock=RLock())  #: opened @Gate
        self.lock = Lock()  #: lock
        self.changed = Condition(self.lock)
Gate()
""",
    "dataclass": """
@dataclasses.dataclass
class Record:
    lock: object = dataclasses.field(default_factory=Lock)
    made: object = dataclasses.field(default_factory=lambda: Lock())
record = Record()  #: lock made
""",
    "dataclass with slots, frozen": """
@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    lock: object = dataclasses.field(default_factory=Lock)
def work():
    return Record()  #: lock
work()
""",
    "named tuple": """
import typing
class Both(typing.NamedTuple):
    lock: object
    n: int
both = Both(lock=Lock(), n=1)  #: lock
""",
    "inheritance": """
class Base:
    def __init__(self):
        self.lock = Lock()  #: lock @Base
class Derived(Base):
    def __init__(self):
        super().__init__()
        self.more = Lock()  #: more @Derived
Derived()
""",
    "inner class": """
def build():
    class Local:
        def __init__(self):
            self.lock = Lock()  #: lock @build.<locals>.Local
    return Local()
build()
""",
    "executed text": """
exec(compile("\\n\\nlock = Lock()  #: lock", "app.py", "exec"))
""",
    "coroutine": """
async def work():
    lock = Lock()  #: lock
    async def inner():
        return Lock()
    mine = await inner()  #: mine
    return lock, mine
try:
    work().send(None)
except StopIteration:
    pass
""",
    "many names": "\n" + "".join("v%d = None\n" % i for i in range(300)) + """
def work():
    %s
    lock = Lock()  #: lock
    self = types.SimpleNamespace()
    self.attribute_beyond = Lock()  #: attribute_beyond
    late = Lock()  #: late
    return lock, late
work()
late_global = Lock()  #: late_global
""" % "; ".join("w%d = v%d" % (i, i) for i in range(300)),
    "after branches and loops": """
def work(n):
    for i in range(n):
        if i % 2:
            continue
        try:
            lock = Lock()  #: lock lock
        finally:
            pass
    while True:
        mine = Lock()  #: mine
        break
    return lock, mine
work(3)
""",
    "match and try": """
def work(value):
    match value:
        case {"a": a}:
            lock = Lock()  #: lock
        case _:
            lock = None
    try:
        raise KeyError
    except KeyError as e:
        mine = Lock()  #: mine
    return lock, mine
work({"a": 1})
""",
    "condition": """
ready = Condition()  #: ready
class Gate:
    def __init__(self):
        self.__opened = Condition()  #: _Gate__opened @Gate
Gate()
""",
    "semaphore": """
slots = Semaphore(2)  #: slots
class Limit:
    def __init__(self):
        self.bounded = BoundedSemaphore(2)  #: bounded @Limit
Limit()
""",
    "event and barrier": """
done = Event()  #: done
gate = Barrier(2)  #: gate
""",
    "queue": """
jobs = Queue()  #: jobs
def work():
    mine = PriorityQueue(3)  #: mine
    return mine, [LifoQueue() for _ in range(1)]  #: -
work()
class Worker:
    def __init__(self):
        self.inbox = Queue()  #: inbox @Worker
Worker()
""",
    "logging": """
handler = logging.NullHandler()
stream = logging.StreamHandler()  #: stream
""",
    "subclass of a primitive": """
class Ready(Condition):
    def __init__(self, name):
        super().__init__()
        self.name = name
class Jobs(Queue):
    pass
ready = Ready("x")  #: ready
jobs = Jobs()  #: jobs
""",
    "exit stack": """
with contextlib.ExitStack() as stack:
    entered = stack.enter_context(Lock())  #: -
""",
    "non-ASCII": """
schloß = Lock()  #: schloß
class Tür:
    def __init__(self):
        self.schlüssel = Lock()  #: schlüssel @Tür
Tür()
""",
}
FOUND = {
    "local": """
def work():
    lock = Lock()
    use(lock)  #: lock
work()
""",
    "argument": """
lock = Lock()
def work(given):
    use(given)  #: given
work(lock)
""",
    "global": """
lock = Lock()
use(lock)  #: lock
def work():
    use(lock)  #: lock
work()
""",
    "closure": """
def outer():
    lock = Lock()
    def inner():
        use(lock)  #: lock
    inner()
outer()
""",
    "own closure": """
def outer():
    lock = Lock()
    use(lock)  #: lock
    return lambda: lock
outer()
""",
    "instance attribute": """
class CacheManager:
    def __init__(self):
        self.lock = Lock()
        self.__private = Lock()
    def work(self):
        use(self.lock)  #: lock @CacheManager
        use(self.__private)  #: _CacheManager__private @CacheManager
CacheManager().work()
""",
    "instance attribute with a dictionary": """
class CacheManager:
    def __init__(self):
        self.lock = Lock()
    def work(self):
        use(self.lock)  #: lock @CacheManager
manager = CacheManager()
manager.__dict__
manager.work()
""",
    "slot": """
class Slotted:
    __slots__ = ("empty", "lock", "__weakref__")
    def __init__(self):
        self.lock = Lock()
    def work(self):
        use(self.lock)  #: lock @Slotted
Slotted().work()
""",
    "slot of a base, beside a dictionary": """
class Base:
    __slots__ = ("lock",)
class Derived(Base):
    def __init__(self):
        self.lock = Lock()
        self.other = Lock()
    def work(self):
        use(self.lock)  #: lock @Derived
        use(self.other)  #: other @Derived
Derived().work()
""",
    "class attribute": """
class Store:
    lock = Lock()
    def by_self(self):
        use(self.lock)  #: lock @Store
    @classmethod
    def by_class(cls):
        use(cls.lock)  #: lock @Store
    @staticmethod
    def by_name():
        use(Store.lock)  #: lock @Store
Store().by_self(); Store.by_class(); Store.by_name()
""",
    "class default, set on the instance": """
class Store:
    lock = None
    def work(self):
        self.lock = Lock()
        use(self.lock)  #: lock @Store
Store().work()
""",
    "class body": """
class Store:
    lock = Lock()
    use(lock)  #: lock
""",
    "nested object's attribute": """
class Cache:
    def __init__(self):
        self.lock = Lock()
class Service:
    def __init__(self):
        self.cache = Cache()
    def work(self):
        use(self.cache.lock)  #: lock @Cache
service = Service()
service.work()
def outside():
    use(service.cache.lock)  #: lock @Cache
outside()
""",
    "attribute of a global": """
class Cache:
    def __init__(self):
        self.lock = Lock()
cache = Cache()
def work():
    use(cache.lock)  #: lock @Cache
work()
""",
    "module attribute": """
registry = types.ModuleType("registry")
registry.lock = Lock()
def work():
    use(registry.lock)  #: lock
work()
""",
    "item": """
locks = {"a": Lock()}
rows = [Lock(), Lock()]
class Striped:
    def __init__(self):
        self.stripes = (Lock(), Lock())
    def work(self, i):
        use(self.stripes[i])  #: stripes[...] @Striped
def work():
    mine = {1: Lock()}
    use(mine[1])  #: mine[...]
    use(locks["a"])  #: locks[...]
    use(rows[1])  #: rows[...]
Striped().work(1)
work()
""",
    "defaultdict": """
import collections
locks = collections.defaultdict(Lock)
def work(key):
    use(locks[key])  #: locks[...]
work(1)
""",
    "dataclass": """
@dataclasses.dataclass
class Record:
    lock: object = dataclasses.field(default_factory=Lock)
    def work(self):
        use(self.lock)  #: lock @Record
Record().work()
""",
    "dataclass with slots": """
@dataclasses.dataclass(slots=True)
class Record:
    lock: object = dataclasses.field(default_factory=Lock)
def work(record):
    use(record.lock)  #: lock @Record
work(Record())
""",
    "attribute behind __getattr__ and __getattribute__": """
class Proxy:
    def __init__(self):
        self.lock = Lock()
        self.armed = True
    def __getattr__(self, name):
        raise SystemExit("ran __getattr__ for " + name)
def work(proxy):
    use(proxy.lock)  #: lock @Proxy
work(Proxy())
""",
    "nowhere": """
def hidden():
    return Lock()
use(hidden())  #: -
""",
    "through a Condition": """
ready = Condition(Lock())
def work():
    use(ready._lock)  #: _lock @Condition
work()
""",
}


def expectations(source):
    """[(label, owner or None), ...] as the program's comments say."""
    expected = []
    for number, line in enumerate(source.lstrip("\n").split("\n"), 2):
        for text in re.findall(r"#: ([^\"]+)", line):
            names, _, owner = text.partition("@")
            line_number = 3 if "compile(" in line else number
            for name in names.split():
                label = "app.py:%d" % line_number + ("" if name == "-" else ":" + name)
                expected.append((label, owner.strip() or None))
    return expected


def run(source, **names):
    space = {"__name__": "app", **names}
    sys.modules["app"] = type(sys)("app")       # dataclasses look their module up
    exec(compile(PREAMBLE + source.lstrip("\n"), "/somewhere/app.py", "exec", dont_inherit=True), space)

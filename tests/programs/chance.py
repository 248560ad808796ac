"""Programs by chance: tasks, locks, limits, errors and ends in each other, always the same for a seed.

Whatever such a program does, it ends, and then all its locks are free and nobody is at work (it counts
itself, with இறுதியில்). It says so in two lines: ``விடுபட்டன`` and ``0``.
"""

from __future__ import annotations

from random import Random


class Author:
    """Writes programs of blocks in blocks, by chance but always the same for a seed."""

    def __init__(self, seed: int, *, faster: int = 1, loops: bool = False, channels: bool = False) -> None:
        self.random = Random(seed)
        self.faster = faster
        """Every time is so many times shorter."""
        self.loops = loops
        """Are there computations that need a while, and some without an end inside a limit?"""
        self.channels = channels
        """Do they send and receive? Then some of them wait until they are cancelled."""
        self.names = 0

    def name(self) -> str:
        """A name that was not used before."""
        self.names += 1
        return f"x{self.names}"

    def seconds(self) -> str:
        """A short time."""
        return f"{self.random.choice([0, 0.5, 1, 1.5, 2, 3]) / self.faster:g}"

    def body(self, depth: int) -> str:
        """Some statements."""
        return " ".join(self.statement(depth) for _ in range(self.random.randint(1, 3)))

    def statement(self, depth: int) -> str:
        """One statement, with at most so many blocks in each other."""
        simple = [self.sleep, self.sleep, self.fail, self.leave_loop, self.count]
        if self.channels:
            simple += [self.send, self.receive]
        nested = [self.lock, self.limit, self.final, self.spawn, self.side_by_side, self.retry, self.loop]
        if self.channels:
            nested += [self.walk, self.choose]
        if self.loops:
            simple += [self.compute, self.compute]
        return self.random.choice(simple + nested * 2 if depth else simple)(depth - 1)

    def compute(self, depth: int) -> str:
        """Something that takes a few slices, or all the time that there is."""
        turns = self.random.choice(["100", "20000", "200000"])
        if self.random.random() < 0.3:
            return f"முயல் {{ காலவரம்பு(0.02) {{ கணி(1000000000); }} }} பிழை({self.name()}) {{ }}"
        return f"கணி({turns});"

    def sleep(self, depth: int) -> str:
        return f"உறங்கு({self.seconds()});"

    def fail(self, depth: int) -> str:
        return self.random.choice(["", "", "சுழி(0);", 'பிழை_எழுப்பு("என்", "அ");'])

    def leave_loop(self, depth: int) -> str:
        return self.random.choice(["", "திரும்பு 1;", 'தவறு("அ")?;'])

    def count(self, depth: int) -> str:
        return f"முயல் {{ அணு_கூட்டு(கணக்கு, 1); {self.sleep(0)} }} இறுதியில் {{ அணு_கூட்டு(கணக்கு, -1); }}"

    def channel(self) -> str:
        """One of the channels."""
        return self.random.choice(["சே", "வே"])

    def send(self, depth: int) -> str:
        options = self.random.choice(
            ["", f', {{"timeout": {self.seconds()}}}', f', {{"delay": {self.seconds()}}}']
        )
        return f"சேனல்_அனுப்பு({self.channel()}, {self.random.randint(1, 9)}{options});"

    def receive(self, depth: int) -> str:
        after = self.random.choice(["", "", "சேனல்_ஏற்பு(சே);", "சேனல்_மறு(சே);"])
        options = self.random.choice(["", f', {{"timeout": {self.seconds()}}}'])
        return f"{self.name()} = சேனல்_பெறு({self.channel()}{options}); {after}"

    def walk(self, depth: int) -> str:
        leave = self.random.choice(["நிறுத்து;", "தொடர்;", ""])
        return f"ஒவ்வொரு {self.name()} இல் {self.channel()} {{ உறங்கு(0.5); {self.body(depth)} {leave} }}"

    def choose(self, depth: int) -> str:
        last = self.random.choice(
            ["", f"காலம் {self.seconds()} {{ {self.body(0)} }}", f"இல்லையேல் {{ {self.sleep(0)} }}"]
        )
        name = self.name()
        return f"தேர்வு {{ {name} இல் சே {{ {self.body(depth)} }} {name} இல் வே {{ {self.body(0)} }} {last} }}"

    def lock(self, depth: int) -> str:
        lock = self.random.choice(["பூ", "ஆ", "அரை"])
        options = self.random.choice(["", "", f', {{"timeout": {self.seconds()}}}'])
        return f"பூட்டு_பிடி({lock}{options}) {{ {self.body(depth)} }}"

    def limit(self, depth: int) -> str:
        caught = self.random.choice(["", self.sleep(0)])
        return f"முயல் {{ காலவரம்பு({self.seconds()}) {{ {self.body(depth)} }} }} பிழை({self.name()}) {{ {caught} }}"

    def final(self, depth: int) -> str:
        caught = f"பிழை({self.name()}) {{ {self.body(0)} }}" if self.random.random() < 0.5 else ""
        return f"முயல் {{ {self.body(depth)} }} {caught} இறுதியில் {{ {self.body(depth)} }}"

    def task(self, depth: int) -> str:
        return f"செயல்() {{ {self.body(depth)} }}"

    def spawn(self, depth: int) -> str:
        name = self.name()
        after = self.random.choice(
            [f"பணி_காத்திரு({name});", f"பணி_நிறுத்து({name});", f"பணி_காத்திரு({name}, {self.seconds()});", ""]
        )
        return f"{name} = பணி_தொடங்கு({self.task(depth)}); {self.sleep(0)} {after}"

    def side_by_side(self, depth: int) -> str:
        tasks = ", ".join(self.task(depth) for _ in range(self.random.randint(1, 3)))
        options = self.random.choice(["", ', {"உச்சவரம்பு": 1}'])
        return f"இணையாக([{tasks}]{options});"

    def retry(self, depth: int) -> str:
        return f'மீள்முயற்சி({{"தடவை": 2, "பின்வாங்கு": {self.seconds()}}}) {{ {self.body(depth)} }}'

    def loop(self, depth: int) -> str:
        name = self.name()
        leave = self.random.choice(["நிறுத்து;", "தொடர்;", ""])
        return f"{name} = 0; ({name} < 2) சுற்று {{ {name} = {name} + 1; {self.body(depth)} {leave} }}"

    def program(self) -> str:
        """Some tasks beside each other, which are cancelled one after the other."""
        tasks = [f"செயல் வினை{number}() {{ {self.body(4)} }}" for number in range(4)]
        begin = " ".join(f"t{number} = பணி_தொடங்கு(வினை{number});" for number in range(4))
        cancels = " ".join(
            f"உறங்கு({self.seconds()}); பணி_நிறுத்து(t{number});" for number in self.random.sample(range(4), 4)
        )
        return f"""
        பூ = பூட்டு_உருவாக்கு("பூ"); ஆ = பூட்டு_உருவாக்கு("ஆ"); அரை = பூட்டு_உருவாக்கு("அரை", {{"அனுமதிகள்": 2}});
        கணக்கு = அணு_உருவாக்கு(0);
        சே = சேனல்_உருவாக்கு("சே", {{"கொள்ளளவு": 2}}); வே = சேனல்_உருவாக்கு("வே");
        சேனல்_அனுப்பு(சே, 1); சேனல்_அனுப்பு(வே, 1); சேனல்_அனுப்பு(வே, 2); சேனல்_அனுப்பு(வே, 3);
        செயல் சுழி(n) {{ திரும்பு 1 / n; }}
        செயல் கணி(n) {{ i = 0; (i < n) சுற்று {{ i = i + 1; }} }}
        {" ".join(tasks)}
        பணி_உருவாக்கு "பெற்றோர்" {{
            {begin} {cancels}
            பூட்டு_பிடி(பூ, {{"timeout": 0}}) {{ பூட்டு_பிடி(ஆ, {{"timeout": 0}}) {{
                பூட்டு_பிடி(அரை, {{"timeout": 0}}) {{ பூட்டு_பிடி(அரை, {{"timeout": 0}}) {{ அச்சு "விடுபட்டன"; }} }}
            }} }}
            அச்சு அணு_படி(கணக்கு);
        }}
        """

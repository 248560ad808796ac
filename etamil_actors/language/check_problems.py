"""What the checker reports: one class per problem; its docstring is the page of the manual.

Codes are grouped as everywhere: ``E03…`` names, ``E04…`` types, shapes and fixed names, ``W…``
warnings. The tests run every ``example`` and see that it causes exactly what it should.
"""

from __future__ import annotations

from etamil_actors.language.problems import Problem

# ---- names ----------------------------------------------------------------------------


class UnknownLiteral(Problem):
    """A record is written behind a name that means nothing.

    ``Name{…}`` makes a record of a shape, or calls a function with one record. The program has
    neither a shape nor a function of this name, there is no builtin called so, and no variable
    that could hold a function. Usually the name is misspelt or an import is missing.
    """

    code = "E0310"
    tamil = "‘{name}’ என்ற வடிவமோ செயலோ இல்லை"
    english = "there is no shape or function ‘{name}’"
    example = "வடிவம் புள்ளி { x, y }\nப = புள்ளீ{x: 1, y: 2};\nஅச்சு ப;\n"


class UnknownOption(Problem):
    """A word was given an option that it does not have.

    Options can be written in Tamil, romanised or in English. The list of each word's options
    is in the description of the word.
    """

    code = "E0311"
    tamil = "‘{word}’ என்பதற்கு ‘{name}’ என்ற விருப்பம் இல்லை"
    english = "‘{word}’ has no option ‘{name}’"
    example = 'வழி பெறு, "/", {"timeot": 3} { பதில் 200, "சரி"; }\n'


class DeclaredTwice(Problem):
    """Two jobs, two agents or two messages of one agent have the same name.

    The name is how a job or agent is found in the log, in ``ps`` and by other services, and how
    a message reaches its handler; so it may be given once only.
    """

    code = "E0312"
    tamil = "‘{name}’ என்ற பெயரில் {what_ta} ஏற்கெனவே உள்ளது ({place_ta})"
    english = "there is {what} ‘{name}’ already ({place})"
    example = "முகவர் எண்ணி() { செய்தி பார்() { திரும்பு 1; } }\nமுகவர் எண்ணி() { செய்தி பார்() { திரும்பு 2; } }\n"


class OptionValue(Problem):
    """An option was given a value that it cannot have.

    Times are seconds and never negative, the time between two runs of a job is more than none;
    counts are whole numbers. What is computed while the program runs is looked at then.
    """

    code = "E0313"
    tamil = "‘{name}’ விருப்பத்தில் {wanted_ta} தேவை"
    english = "the option ‘{name}’ wants {wanted_en}"
    example = 'பணி_உருவாக்கு "அறிக்கை", {"every": 0} { அச்சு "வணக்கம்"; }\n'


class UnknownOptionValue(Problem):
    """An option takes one of a few words, and was given something else.

    The words can be written in Tamil, romanised or in English.
    """

    code = "E0314"
    tamil = "‘{name}’ விருப்பத்துக்கு ‘{value}’ என்ற மதிப்பு இல்லை; இருப்பவை: {known_ta}"
    english = "the option ‘{name}’ has no value ‘{value}’; known are {known}"
    example = 'சேனல் = சேனல்_உருவாக்கு({"overflow": "drop_oldst"});\nஅச்சு சேனல்;\n'


class BadCron(Problem):
    """A cron text cannot be understood.

    It has five fields: minute, hour, day of the month, month, day of the week. Each is ``*`` or a
    list of numbers, ranges and steps; months and weekdays have English names, too.
    """

    code = "E0315"
    tamil = "cron உரை தவறு: {why_ta}"
    english = "the cron text is wrong: {why}"
    example = 'பணி_உருவாக்கு "அறிக்கை", {"cron": "0 25 * * *"} { அச்சு "வணக்கம்"; }\n'


class UnknownZone(Problem):
    """There is no time zone of this name. Names are like ``Asia/Kolkata``."""

    code = "E0316"
    tamil = "‘{name}’ என்ற நேர மண்டலம் இல்லை"
    english = "there is no time zone ‘{name}’"
    example = 'பணி_உருவாக்கு "அறிக்கை", {"cron": "0 2 * * *", "tz": "Asia/Kolkatta"} { அச்சு "வணக்கம்"; }\n'


class OptionsExclude(Problem):
    """Two options of a job both say when it runs.

    A job runs every so many seconds, or by a cron text, or for each message of a channel. Who
    wants two of them declares two jobs that call one function.
    """

    code = "E0317"
    tamil = "‘{name}’, ‘{other}’ இரண்டும் ஒரே பணியில் வர முடியாது"
    english = "‘{name}’ and ‘{other}’ cannot stand together in one job"
    example = 'பணி_உருவாக்கு "அறிக்கை", {"every": 60, "cron": "0 2 * * *"} { அச்சு "வணக்கம்"; }\n'


class OptionNeedsAnother(Problem):
    """An option says something about another one that is not there."""

    code = "E0318"
    tamil = "‘{name}’ விருப்பம் ‘{other}’ உடன் மட்டுமே பொருள் தரும்"
    english = "the option ‘{name}’ means something only together with ‘{other}’"
    example = 'பணி_உருவாக்கு "அறிக்கை", {"every": 60, "tz": "Asia/Kolkata"} { அச்சு "வணக்கம்"; }\n'


class ChannelsDiffer(Problem):
    """A channel's name stands at two places with options that differ.

    All who name a channel mean the same one, so they have to agree on what it is. Options that
    are left out at one of the places are no contradiction.
    """

    code = "E0319"
    tamil = "‘{channel}’ சேனலின் ‘{name}’ வேறு இடத்தில் ({place_ta}) வேறாக உள்ளது"
    english = "the channel ‘{channel}’ has another ‘{name}’ elsewhere ({place})"
    example = (
        'அ = சேனல்_உருவாக்கு("அஞ்சல்", {"capacity": 10});\nஆ = சேனல்_உருவாக்கு("அஞ்சல்", {"capacity": 20});\n'
        "அச்சு [அ, ஆ];\n"
    )


class NeverAssigned(Problem):
    """A name is read or called that nothing in the program ever gives a value to.

    No statement assigns it, and no function, shape, builtin or request variable has this name.
    Running into it is an error; it is only a warning because that line may never run.
    """

    code = "W0310"
    tamil = "‘{name}’ என்ற பெயருக்கு இந்த நிரலில் எங்கும் மதிப்பு தரப்படவில்லை"
    english = "nothing in this program gives ‘{name}’ a value"
    example = "மொத்தம் = 5;\nஅச்சு மொத்தம;\n"


class PreludeReadsRequest(Problem):
    """What stands outside the routes reads something that only a request has.

    Everything outside routes, jobs, agents and tests runs once, when the service starts; at that
    time there is no request. Read it inside the route, or in a function that the route calls.
    The setting ``prelude: per_request`` runs such a program as eTamil 2.0 did.
    """

    code = "W0311"
    tamil = "‘{name}’ ஒரு கோரிக்கைக்கு உரியது; வழிகளுக்கு வெளியே உள்ளவை சேவை தொடங்கும்போது ஒருமுறை மட்டுமே ஓடும்"
    english = (
        "‘{name}’ belongs to a request; what stands outside the routes runs once only,"
        " when the service starts"
    )
    example = 'பக்கம் = request_path;\nவழி பெறு, "/" { பதில் 200, பக்கம்; }\n'


# ---- types ----------------------------------------------------------------------------


class DoesNotFit(Problem):
    """A value is stored under a name, or in a field, that was declared for something else.

    எண் and பின்னம் accept a number; சொல், உரை and தேதி a text or a number; ஈர்ம a boolean; அணி
    an array; பொருள் and தரவு a record; செயல் a function; the name of a shape a record of that
    shape. இன்மை is accepted everywhere, and so is everything the checker knows nothing about.
    """

    code = "E0401"
    tamil = "‘{name}’ {declared} என அறிவிக்கப்பட்டது; ஆனால் {given_ta} கொடுக்கப்பட்டது"
    english = "‘{name}’ is declared as {declared}, but {given} is given"
    example = 'எண் வயது = "முப்பது";\n'


class ChangesFixed(Problem):
    """A fixed name is assigned again, or a part of its value is changed.

    A name bound with நிலை keeps its value to the end of its scope. It can also not be a loop
    variable, nor the target of a query, of an input or of reading a file.
    """

    code = "E0402"
    tamil = "‘{name}’ நிலையானது ({place_ta}); அதை மாற்ற முடியாது"
    english = "‘{name}’ is fixed ({place}) and cannot be changed"
    example = "நிலை எண் அதிகபட்சம் = 100;\nஅதிகபட்சம் = 200;\n"


class FixedTwice(Problem):
    """நிலை stands before a name that already has a value in this scope."""

    code = "E0403"
    tamil = "‘{name}’ {why_ta} ({place_ta}); அதை இங்கே நிலைப்படுத்த முடியாது"
    english = "‘{name}’ {why} ({place}); it cannot be fixed here"
    example = "அளவு = 5;\nநிலை அளவு = 6;\n"


class NeedsValue(Problem):
    """A declaration has no value, and 0 does not fit it.

    A declaration without a value stores the number 0, whatever the type. That is possible for
    எண், பின்னம், சொல், உரை and தேதி only.
    """

    code = "E0404"
    tamil = "‘{name}’ {declared} என அறிவிக்கப்பட்டது; மதிப்பு எழுதாவிட்டால் 0 ஆகும், அது பொருந்தாது"
    english = "‘{name}’ is declared as {declared}; without a value it would be 0, which does not fit"
    example = "அணி பட்டியல்;\n"


class ArgumentDoesNotFit(Problem):
    """A function is called with a value that its declared parameter does not accept.

    The mark stands at the parameter; the message tells the line of the call.
    """

    code = "E0421"
    tamil = (
        "‘{function}’ செயலின் அளவுரு ‘{name}’ {declared} என அறிவிக்கப்பட்டது;"
        " ஆனால் {place_ta}-இல் {given_ta} கொடுக்கப்பட்டது"
    )
    english = (
        "the parameter ‘{name}’ of ‘{function}’ is declared as {declared}, but {given} is given in {place}"
    )
    example = 'செயல் இரட்டி(எண் அ) { திரும்பு அ * 2; }\nஅச்சு இரட்டி("இரண்டு");\n'


class ResultDoesNotFit(Problem):
    """A function returns something else than its declared result.

    The mark stands at the function's name; the message tells the line of the return.
    """

    code = "E0422"
    tamil = "‘{name}’ {declared} திருப்புவதாக அறிவிக்கப்பட்டது; ஆனால் {place_ta}-இல் {given_ta} திருப்பப்படுகிறது"
    english = "‘{name}’ is declared to return {declared}, but returns {given} in {place}"
    example = 'செயல் வயது() எண் { திரும்பு "முப்பது"; }\nஅச்சு வயது();\n'


# ---- shapes ---------------------------------------------------------------------------


class ShapeNotAtTop(Problem):
    """A shape is defined inside a block or function. Shapes stand at the top level."""

    code = "E0405"
    tamil = "‘{name}’ வடிவத்தை நிரலின் மேல்நிலையில் மட்டுமே வரையறுக்க முடியும்"
    english = "the shape ‘{name}’ may be defined only at the top level of the program"
    example = "செயல் f() {\n    வடிவம் புள்ளி { x, y }\n}\nf();\n"


class ShapeTwice(Problem):
    """The program, with everything it imports, defines two shapes of one name."""

    code = "E0406"
    tamil = "‘{name}’ என்ற வடிவம் ஏற்கெனவே உள்ளது ({place_ta})"
    english = "there is a shape ‘{name}’ already ({place})"
    example = "வடிவம் புள்ளி { x, y }\nவடிவம் புள்ளி { அ, ஆ }\n"


class ShapeAndFunction(Problem):
    """A shape and a function share a name, so a call of it could mean either."""

    code = "E0407"
    tamil = "‘{name}’ என்ற பெயரில் ஒரு வடிவமும் ஒரு செயலும் உள்ளன ({place_ta})"
    english = "‘{name}’ names both a shape and a function ({place})"
    example = "வடிவம் புள்ளி { x, y }\nசெயல் புள்ளி(அ) { திரும்பு அ; }\n"


class MemberTwice(Problem):
    """Two fields, two methods, or a field and a method of one shape have the same name."""

    code = "E0408"
    tamil = "‘{shape}’ வடிவத்தில் ‘{name}’ ஏற்கெனவே உள்ளது ({place_ta})"
    english = "the shape ‘{shape}’ has ‘{name}’ already ({place})"
    example = "வடிவம் புள்ளி { x, y, x }\n"


class NoSuchType(Problem):
    """A type is neither one of the language's type words nor the name of a shape."""

    code = "E0409"
    tamil = "‘{name}’ என்ற வகையோ வடிவமோ இல்லை"
    english = "there is no type or shape ‘{name}’"
    example = "செயல் f(பயணர் ஆள்) { திரும்பு ஆள்; }\nஅச்சு f(1);\n"


class FieldsMissing(Problem):
    """A shape literal does not give every field.

    Each field stands in the literal exactly once, unless ``..base`` at the end supplies the
    rest or the field's type is marked ``?``.
    """

    code = "E0410"
    tamil = "‘{shape}’ வடிவத்தின் புலம் இங்கே இல்லை: {fields}"
    english = "fields of the shape ‘{shape}’ are missing here: {fields}"
    example = "வடிவம் புள்ளி { x, y }\nஅச்சு புள்ளி{x: 1};\n"


class UnknownFieldInLiteral(Problem):
    """A shape literal gives a field that the shape does not have."""

    code = "E0411"
    tamil = "‘{shape}’ வடிவத்தில் ‘{name}’ என்ற புலம் இல்லை"
    english = "the shape ‘{shape}’ has no field ‘{name}’"
    example = "வடிவம் புள்ளி { x, y }\nஅச்சு புள்ளி{x: 1, y: 2, z: 3};\n"


class FieldTwice(Problem):
    """A shape literal gives one field twice."""

    code = "E0412"
    tamil = "‘{name}’ புலம் இங்கே இரண்டு முறை கொடுக்கப்பட்டுள்ளது"
    english = "the field ‘{name}’ is given twice here"
    example = "வடிவம் புள்ளி { x, y }\nஅச்சு புள்ளி{x: 1, y: 2, x: 3};\n"


class BaseOfAnotherShape(Problem):
    """What follows ``..`` in a shape literal is known not to be a record of that shape."""

    code = "E0413"
    tamil = "‘..’ குறிக்குப் பின் ‘{shape}’ வடிவப் பொருள் தேவை; {given_ta} கொடுக்கப்பட்டது"
    english = "after ‘..’ a record of the shape ‘{shape}’ is wanted, but {given} is given"
    example = "வடிவம் புள்ளி { x, y }\nஅச்சு புள்ளி{x: 1, ..{y: 2}};\n"


class UnknownField(Problem):
    """A field is read or set that the shape does not have."""

    code = "E0414"
    tamil = "‘{shape}’ வடிவத்தில் ‘{name}’ என்ற புலம் இல்லை"
    english = "the shape ‘{shape}’ has no field ‘{name}’"
    example = "வடிவம் புள்ளி { x, y }\nநிலை ப = புள்ளி{x: 1, y: 2};\nஅச்சு ப.z;\n"


class MethodNotCalled(Problem):
    """A method is read like a field. It has to be called."""

    code = "E0415"
    tamil = "‘{name}’ ‘{shape}’ வடிவத்தின் வழிமுறை; அதை ‘{name}(…)’ என அழைக்க வேண்டும்"
    english = "‘{name}’ is a method of the shape ‘{shape}’ and must be called: ‘{name}(…)’"
    example = (
        "வடிவம் சதுரம் {\n    பக்கம்,\n    செயல் பரப்பு(இது) { திரும்பு இது.பக்கம் * இது.பக்கம்; }\n}\n"
        "நிலை ச = சதுரம்{பக்கம்: 2};\nஅச்சு ச.பரப்பு;\n"
    )


class UnknownMethod(Problem):
    """A method is called that the shape does not have, or a field that holds no function."""

    code = "E0416"
    tamil = "‘{shape}’ வடிவத்தில் ‘{name}’ {why_ta}"
    english = "‘{name}’ {why} of the shape ‘{shape}’"
    example = "வடிவம் புள்ளி { x, y }\nநிலை ப = புள்ளி{x: 1, y: 2};\nஅச்சு ப.நீளம்();\n"


class MethodWithoutSelf(Problem):
    """A method that takes no இது is called on a record. It belongs to the shape itself."""

    code = "E0417"
    tamil = "‘{name}’ ‘இது’ எடுக்காத செயல்; அதை ‘{shape}.{name}(…)’ என அழைக்க வேண்டும்"
    english = "‘{name}’ takes no இது; it is called as ‘{shape}.{name}(…)’"
    example = (
        "வடிவம் புள்ளி {\n    x,\n    செயல் புதிது() { திரும்பு புள்ளி{x: 0}; }\n}\n"
        "நிலை ப = புள்ளி{x: 1};\nஅச்சு ப.புதிது();\n"
    )


class SelfMisused(Problem):
    """இது was assigned, changed, or declared as another type.

    In a method இது is the record it was called on, and of its shape. A method cannot change it;
    it answers a new record instead. In an agent இது is the agent itself.
    """

    code = "E0418"
    tamil = "‘{name}’ என்பது {what_ta}; {why_ta}"
    english = "‘{name}’ is {what}; {why}"
    example = (
        "வடிவம் புள்ளி {\n    x,\n    செயல் நகர்த்து(இது) { இது.x = 5; திரும்பு இது; }\n}\n"
        "அச்சு புள்ளி{x: 1}.நகர்த்து();\n"
    )


class ShapeNameTaken(Problem):
    """A variable, parameter or fixed name is called like a shape."""

    code = "E0419"
    tamil = "‘{name}’ ஒரு வடிவத்தின் பெயர்; அது மாறியாகவோ அளவுருவாகவோ இருக்க முடியாது"
    english = "‘{name}’ is the name of a shape; it cannot be a variable or a parameter"
    example = "வடிவம் புள்ளி { x, y }\nபுள்ளி = 5;\n"


class ConversionArguments(Problem):
    """``Shape(record)`` takes exactly one value: the record to be checked."""

    code = "E0420"
    tamil = "‘{name}(…)’ ஒரே ஒரு மதிப்பை எடுக்கும்; இங்கே {given} கொடுக்கப்பட்டன"
    english = "‘{name}(…)’ takes exactly one value; {given} given"
    example = "வடிவம் புள்ளி { x, y }\nஅச்சு புள்ளி(1, 2);\n"

"""Words by which texts are told apart. English, but for the negations."""

from __future__ import annotations

__all__ = [
    "CJK_NEGATIONS",
    "CONTRACTED",
    "KINDS",
    "MEASURED",
    "NEGATIONS",
    "NUMBER_WORDS",
    "OPPOSING",
    "POLES",
    "STOP_WORDS",
    "VALUE_WORDS",
]


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


CONTRACTED = "n't"

# English; German; French; Spanish, Portuguese and Italian; Dutch; Russian; Polish.
NEGATIONS = _words(
    "no not nor non never none nobody nothing nowhere neither without cannot hardly except",
    "excluding exclude excludes unless minus lacks lacking lack free",
    "dont doesnt didnt isnt arent wasnt werent wont cant couldnt shouldnt wouldnt havent hasnt",
    "nicht kein keine keinen keinem keiner nie niemals nichts ohne weder",
    "ne pas sans jamais aucun aucune rien",
    "sin nunca ningun ning\u00fan ninguna jam\u00e1s nada tampoco",
    "n\u00e3o nao sem nenhum nenhuma senza mai nessun nessuna nessuno",
    "niet geen nooit zonder",
    "\u043d\u0435 \u043d\u0435\u0442 \u0431\u0435\u0437 \u043d\u0438\u043a\u043e\u0433\u0434\u0430",
    "nigdy bez",
)
CJK_NEGATIONS = frozenset("\u4e0d\u6ca1\u6c92\u65e0\u7121\u975e\u672a\u52ff")

OPPOSING = ("un", "in", "im", "ir", "il", "dis", "non", "anti", "de", "mis")

_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen twenty"
)
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth"
_SUFFIXES = {1: "st", 2: "nd", 3: "rd"}
NUMBER_WORDS = (
    {word: str(number) for number, word in enumerate(_NUMBERS.split())}
    | {
        word: f"{number}{_SUFFIXES.get(number, 'th')}"
        for number, word in enumerate(_ORDINALS.split(), start=1)
    }
    | {
        "thirty": "30",
        "forty": "40",
        "fifty": "50",
        "sixty": "60",
        "seventy": "70",
        "eighty": "80",
        "ninety": "90",
        "hundred": "100",
        "thousand": "1000",
        "dozen": "12",
    }
)

# What counts as numbers do: it makes another question of the same words.
VALUE_WORDS = _words(
    "half quarter double twice triple once million billion trillion",
    "january february march april june july august september october november december",
    "monday tuesday wednesday thursday friday saturday sunday",
    "today tomorrow yesterday tonight spring summer autumn winter",
    "second seconds minute minutes hour hours day days week weeks month months year years decade",
    "decades century daily weekly monthly yearly annual annually hourly quarterly",
    "mm cm km meter meters metre metres kilometer kilometers kilometre kilometres mile miles foot",
    "feet inch inches yard yards mg kg gram grams kilogram kilograms pound pounds ounce ounces ton",
    "tons tonne tonnes ml liter liters litre litres gallon gallons pint pints",
    "celsius fahrenheit kelvin percent dollar dollars euro euros usd eur gbp yen jpy rupee rupees",
    "kb mb gb tb kib mib gib tib bytes bits watt watts volt volts kwh mph kmh",
)

_PAIRS = (
    "increase increases increased increasing raise raised grow|"
    "decrease decreases decreased decreasing reduce reduced reducing shrink",
    "up upward upwards rise rising|down downward downwards fall falling",
    "high higher highest|low lower lowest",
    "more most|less least fewer fewest",
    "max maximum maximize|min minimum minimize",
    "best better good top|worst worse bad bottom",
    "big bigger biggest large larger largest|small smaller smallest",
    "long longer longest tall taller|short shorter shortest",
    "fast faster fastest quick|slow slower slowest",
    "cheap cheaper cheapest|expensive costly",
    "hot hotter hottest warm|cold colder coldest cool",
    "heavy heavier heaviest|light lighter lightest",
    "open opens opened|close closes closed shut",
    "on|off",
    "start starts begin begins|stop stops end ends finish",
    "old older oldest|new newer newest young younger youngest",
    "early earlier earliest|late later latest",
    "buy buying bought purchase|sell selling sold",
    "import imports importing|export exports exporting",
    "enable enables enabled enabling|disable disables disabled disabling",
    "allow allows allowed permit|deny denied block blocked forbid forbidden prohibited",
    "accept accepted approve approved|reject rejected decline declined refuse",
    "include includes including|exclude excludes excluding",
    "before prior|after",
    "above over|below under beneath",
    "inside in indoor|outside outdoor",
    "left|right",
    "true yes|false",
    "win wins won winner|lose loses lost loser",
    "pass passes passed|fail fails failed",
    "add adds added adding insert|remove removes removed removing subtract",
    "create creates created|delete deletes deleted destroy",
    "upload uploads|download downloads",
    "encrypt encryption encode|decrypt decryption decode",
    "push|pull",
    "send sends sending sent|receive receives receiving received",
    "lend lending|borrow borrowing",
    "male man men boy|female woman women girl",
    "north northern|south southern",
    "east eastern|west western",
    "ascending asc|descending desc",
    "positive|negative",
    "safe|dangerous unsafe harmful",
    "past|future",
    "public|private",
    "hire hiring|fire firing",
    "arrive arrival arrivals|depart departure departures",
    "pros advantage advantages benefit benefits|"
    "cons disadvantage disadvantages drawback drawbacks risk risks",
    "love loves like likes|hate hates dislike dislikes",
    "sync synchronous|async asynchronous",
    "vertical|horizontal",
    "input|output",
    "server|client",
    "gain gains profit|loss losses",
)
# By word: twice the number of its scale, and one more for the other side.
POLES = {
    word: 2 * scale + side
    for scale, pair in enumerate(_PAIRS)
    for side, words in enumerate(pair.split("|"))
    for word in words.split()
}

KINDS = frozenset(["who", "whom", "whose", "when", "where", "why", "how"])
# What "how" asks for with one of these behind it.
MEASURED = {word: word for word in ("long", "far", "old", "often", "big", "tall", "fast")} | {
    "many": "many",
    "much": "much",
}

STOP_WORDS = _words(
    "a an the this that these those there here it its he him his she her they them their we us our",
    "you your i me my mine myself",
    "is are was were be been being am do does did doing done have has had having can could will",
    "would shall should may might must let",
    "and or but if then than so as of at by for from in into on onto to too with about over up out",
    "what which who whom whose when where why how",
    "please tell show give explain want need like just also very some any all hi hello hey ok okay",
    "yes thank thanks",
)

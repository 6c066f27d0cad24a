"""What units there are: their symbols, names, sizes in base units and dimensions. Data, and its reading.

A row is ``symbols | names | prefixes | size | dimensions``. The prefixes are those that the symbols take; a
row with prefixes gives the names theirs too (``kilometre``). Case counts in symbols and not in names. What
has no exact or agreed conversion (currencies, calendar months, American volumes) is a dimension of its own.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TypeAlias

Dims: TypeAlias = "tuple[tuple[str, int], ...]"
Measure: TypeAlias = "tuple[Fraction, Dims]"

PREFIXES = {
    "E": 18,
    "P": 15,
    "T": 12,
    "G": 9,
    "M": 6,
    "k": 3,
    "K": 3,
    "h": 2,
    "d": -1,
    "c": -2,
    "m": -3,
    "μ": -6,
    "u": -6,
    "n": -9,
    "p": -12,
    "f": -15,
}
_PREFIX_NAMES = {
    "tera": 12,
    "giga": 9,
    "mega": 6,
    "kilo": 3,
    "hecto": 2,
    "deci": -1,
    "centi": -2,
    "milli": -3,
    "micro": -6,
    "nano": -9,
    "pico": -12,
    "femto": -15,
}

_TABLE = """
m | meter metre | M k d c m μ u n p f | 1 | m
g | gram gramme | k d c m μ u n | 1/1000 | kg
s | sec second | m μ u n p f | 1 | s
A | amp ampere | k m μ u n p | 1 | A
K | kelvin | m μ | 1 | K
mol | mole | k m μ u n p | 1 | mol
cd | candela | m | 1 | cd
Hz | hertz | T G M k m | 1 | s^-1
N | newton | M k m μ u n | 1 | kg m s^-2
Pa | pascal | G M k h m | 1 | kg m^-1 s^-2
J | joule | T G M k m μ u n | 1 | kg m^2 s^-2
W | watt | T G M k m μ u n | 1 | kg m^2 s^-3
C | coulomb | m μ u n p | 1 | A s
V | volt | M k m μ u n | 1 | kg m^2 s^-3 A^-1
F | farad | m μ u n p f | 1 | kg^-1 m^-2 s^4 A^2
Ω | ohm | G M k m μ | 1 | kg m^2 s^-3 A^-2
S | siemens | m μ u n | 1 | kg^-1 m^-2 s^3 A^2
Wb | weber | m μ | 1 | kg m^2 s^-2 A^-1
T | tesla | m μ u n | 1 | kg s^-2 A^-1
H | henry henrie | m μ u n | 1 | kg m^2 s^-2 A^-2
lm | lumen | k | 1 | lm
lx | lux | k m | 1 | lx
Bq | becquerel | G M k m | 1 | s^-1
Ci | curie | m μ | 37000000000 | s^-1
Gy | gray | m μ | 1 | m^2 s^-2
Sv | sievert | m μ | 1 | m^2 s^-2
kat | katal | m μ n | 1 | mol s^-1
L l | liter litre | k h d c m μ u n | 1/1000 | m^3
eV | electronvolt | E P T G M k m | 1602176634/10000000000000000000000000000 | kg m^2 s^-2
bar | | k m | 100000 | kg m^-1 s^-2
cal | calorie | k | 523/125 | kg m^2 s^-2
Cal | | | 4184 | kg m^2 s^-2
Wh | | G M k | 3600 | kg m^2 s^-2
Ah | | m | 3600 | A s
G | gauss | k m | 1/10000 | kg s^-2 A^-1
pc | parsec | k M G | 1 | parsec
Da u | dalton | k M | 1 | dalton
 | amu | | 1 | dalton
M | molar | m μ u n | 1000 | mol m^-3
P | poise | c m | 1/10 | kg m^-1 s^-1
D | debye | | 1 | debye
bit b | bit | T G M k | 1 | bit
B | byte | P T G M k K | 8 | bit
Å | angstrom ångström | | 1/10000000000 | m
 | micron | | 1/1000000 | m
ha | hectare | | 10000 | m^2
 | acre | | 316160658/78125 | m^2
in | inch inche | | 127/5000 | m
ft | foot feet | | 381/1250 | m
yd | yard | | 1143/1250 | m
mi | mile | | 201168/125 | m
AU au | | | 149597870700 | m
ly | lightyear | | 9460730472580800 | m
M_☉ | | | 1 | sun
R_☉ | | | 1 | solar_radius
L_☉ | | | 1 | solar_luminosity
M_⊕ | | | 1 | earth
R_⊕ | | | 1 | earth_radius
cc | | | 1/1000000 | m^3
min | minute | | 60 | s
h hr | hour | | 3600 | s
 | day | | 86400 | s
wk | week | | 604800 | s
 | fortnight | | 1209600 | s
mo | month | | 1 | month
yr | year | | 12 | month
 | decade | | 120 | month
 | century centurie | | 1200 | month
 | millennium millennia | | 12000 | month
t | tonne | | 1000 | kg
 | kilo | | 1 | kg
dyn | dyne | | 1/100000 | kg m s^-2
 | erg | | 1/10000000 | kg m^2 s^-2
kgf | | | 1 | kgf
atm | atmosphere | m | 101325 | kg m^-1 s^-2
Torr torr | | m | 20265/152 | kg m^-1 s^-2
mmHg | | | 1 | mmHg
psi | | | 1 | psi
hp | horsepower | | 1 | hp
BTU Btu | btu | | 1 | btu
Nm | | | 1 | kg m^2 s^-2
Ns | | | 1 | kg m s^-1
Js | | | 1 | kg m^2 s^-1
rad | radian | m μ | 1 | angle
sr | steradian | | 1 | solid_angle
rev | revolution | | 1 | revolution
arcmin | arcminute | | 60 | arc
arcsec | arcsecond | | 1 | arc
ppm | | | 1 | parts_per_million
ppb | | | 1/1000 | parts_per_million
°C ℃ | celsius centigrade | | 1 | celsius
°F ℉ | fahrenheit | | 1 | fahrenheit
dB | decibel | | 1 | decibel
kn | knot | | 1 | knot
lb lbs | pound | | 16 | ounce
oz | ounce | | 1 | ounce
 | ton | | 32000 | ounce
lbf | | | 1 | lbf
 | slug | | 1 | slug
cup | cup | | 1 | cup
pt | pint | | 2 | cup
qt | quart | | 4 | cup
gal | gallon | | 16 | cup
Tbsp tbsp | tablespoon | | 1/16 | cup
tsp | teaspoon | | 1/48 | cup
 | dollar buck usd | | 1 | dollar
¢ | cent penny pennie | | 1/100 | dollar
 | dime | | 1/10 | dollar
 | nickel | | 1/20 | dollar
 | quarter | | 1/4 | dollar
 | euro eur | | 1 | euro
 | gbp | | 1 | sterling
 | pence | | 1/100 | sterling
 | rupee inr | | 1 | rupee
 | yen jpy | | 1 | yen
 | cad | | 1 | canadian_dollar
 | aud | | 1 | australian_dollar
 | peso | | 1 | peso
 | franc chf | | 1 | franc
 | yuan rmb cny | | 1 | yuan
 | jiao | | 1/10 | yuan
 | ruble rouble | | 1 | ruble
 | kopek kopeck | | 1/100 | ruble
"""

# Several words, or several units in one: what they stand for.
PHRASES = {
    "mph": "mile per hour",
    "kph": "km per hour",
    "kmh": "km per hour",
    "kmph": "km per hour",
    "fps": "foot per second",
    "mps": "m per s",
    "rpm": "revolution per minute",
    "bps": "bit per second",
    "kbps": "kbit per second",
    "Mbps": "Mbit per second",
    "mpg": "mile per gallon",
    "sqft": "square foot",
    "sq": "square",
    "cu": "cubic",
}

CHINESE = {
    "平方": " square ",
    "立方": " cubic ",
    "每": " per ",
    "千米": " km ",
    "公里": " km ",
    "分米": " dm ",
    "厘米": " cm ",
    "毫米": " mm ",
    "微米": " μm ",
    "纳米": " nm ",
    "千克": " kg ",
    "公斤": " kg ",
    "毫克": " mg ",
    "毫升": " mL ",
    "千瓦时": " kWh ",
    "千瓦": " kW ",
    "公顷": " hectare ",
    "分鐘": " minute ",
    "小時": " hour ",
    "個月": " month ",
    "公頃": " hectare ",
    "噸": " tonne ",
    "圓": " yuan ",
    "分钟": " minute ",
    "小时": " hour ",
    "星期": " week ",
    "个月": " month ",
    "摄氏度": " °C ",
    "人民币": " yuan ",
    "焦耳": " J ",
    "牛顿": " N ",
    "伏特": " V ",
    "安培": " A ",
    "欧姆": " Ω ",
    "米": " m ",
    "克": " g ",
    "吨": " tonne ",
    "升": " L ",
    "秒": " s ",
    "时": " hour ",
    "天": " day ",
    "日": " day ",
    "周": " week ",
    "月": " month ",
    "年": " year ",
    "元": " yuan ",
    "角": " jiao ",
    "瓦": " W ",
    "焦": " J ",
    "牛": " N ",
    "伏": " V ",
    "安": " A ",
    "欧": " Ω ",
}

# Chinese words that count things, before the name of the thing.
COUNTERS = frozenset(
    "个只条本支枝张辆台件头匹棵朵人名位次种道题页箱袋瓶杯块粒颗根把双对组队班层间座栋套份包盒桶篮串排列行岁倍分点颗艘架步"
    "個隻條張輛頭隊層間塊顆雙對組歲點"
)


def _rows() -> tuple[dict[str, Measure], dict[str, Measure]]:
    symbols: dict[str, Measure] = {}
    names: dict[str, Measure] = {}
    prefixed: dict[str, Measure] = {}
    for line in _TABLE.strip("\n").splitlines():
        signs, words, prefixes, number, dimensions = (part.split() for part in line.split("|"))
        size = Fraction(number[0])
        dims = []
        for part in dimensions:
            dimension, _, power = part.partition("^")
            dims.append((dimension, int(power or 1)))
        measure = size, tuple(sorted(dims))
        symbols.update(dict.fromkeys(signs, measure))
        names.update(dict.fromkeys(words, measure))
        for prefix in prefixes:
            scaled = size * Fraction(10) ** PREFIXES[prefix], measure[1]
            prefixed.update({prefix + sign: scaled for sign in signs})
        if prefixes:
            for spelled, tens in _PREFIX_NAMES.items():
                scaled = size * Fraction(10) ** tens, measure[1]
                names.update({spelled + word: scaled for word in words})
    return prefixed | symbols, names


SYMBOLS, NAMES = _rows()
# Written with the wrong case by everybody, and nothing else in any case.
for _sign in (
    "km",
    "cm",
    "mm",
    "kg",
    "ml",
    "kwh",
    "hz",
    "khz",
    "db",
    "hr",
    "min",
    "ft",
    "lb",
    "lbs",
    "oz",
    "gal",
    "yd",
    "sec",
):
    _exact = {"ml": "mL", "kwh": "kWh", "hz": "Hz", "khz": "kHz", "db": "dB", "sec": "s"}.get(_sign, _sign)
    NAMES.setdefault(_sign, SYMBOLS[_exact])

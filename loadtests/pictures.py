"""Pictures to measure photo matching with: drawn objects, and photographs taken of them.

Every object is drawn from its number alone, of five sorts that auction houses photograph:
paintings, labels, dials, cards and materials.  Objects of a sort share letters, ticks and
frames, as different things of one trade do.  ``recapture`` photographs a picture the way a
phone would: lying askew on a cluttered table, in other light, a little out of focus.

The same numbers give the same pictures, with the same libraries.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Pixels = npt.NDArray[np.uint8]
Random = np.random.Generator
Colour = tuple[int, int, int]

_SIZE: Final = (900, 700)
_WORDS: Final = [
    "CHATEAU",
    "GRAND",
    "RESERVE",
    "MILLESIME",
    "APPELLATION",
    "AUTOMATIC",
    "CHRONOMETER",
    "SWISS",
    "GENEVE",
    "EDITION",
    "LIMITED",
    "NUMBER",
    "SERIES",
    "ORIGINAL",
    "PROOF",
    "SIGNED",
    "ATELIER",
    "MAISON",
    "FONDEE",
    "BRUT",
    "CUVEE",
    "NORD",
    "OUEST",
]


def draw(number: int) -> Image.Image:
    """Object number so-and-so, photographed for the catalogue: 900 × 700, evenly lit."""
    return _SORTS[number % len(_SORTS)](np.random.default_rng([number, 1]))


def sort_of(number: int) -> str:
    """What the house would call it: objects are told apart from others of their category."""
    return _SORTS[number % len(_SORTS)].__name__.lstrip("_")


def sibling(number: int) -> Image.Image | None:
    """Another model of the same maker: the layout and the typeface are the same, what is
    written and what moves is not.  Only dials have siblings."""
    if _SORTS[number % len(_SORTS)] is not _dial:
        return None
    make, _ = np.random.default_rng([number, 1]).spawn(2)
    return _dial_of(make, np.random.default_rng([number, 7]))


def twin(picture: Image.Image, number: int, depth: float = 0.05) -> Image.Image:
    """Another item of the same model: nothing differs but a fine texture, ± ``depth``."""
    random = np.random.default_rng([number, 2])
    height, width = picture.height, picture.width
    noise = random.standard_normal((height, width))
    fine = cv2.GaussianBlur(noise, (0, 0), 1.0) - cv2.GaussianBlur(noise, (0, 0), 3.0)
    pixels = np.asarray(picture, np.float64) * (1 + depth * fine / fine.std())[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def colour_card() -> Image.Image:
    """The card that a house lays beside everything it photographs; it is always the same."""
    random = np.random.default_rng(3)
    card = Image.new("RGB", (300, 260), (238, 236, 230))
    pen = ImageDraw.Draw(card)
    for row in range(4):
        for column in range(6):
            left, top = 12 + column * 46, 34 + row * 44
            pen.rectangle((left, top, left + 38, top + 36), fill=_colour(random))
            pen.text((left + 3, top + 20), f"{row}{column}", _colour(random), _font(12))
    pen.text((12, 6), "FAIR WARNING COLOUR CONTROL", (20, 20, 20), _font(17))
    for mark in range(0, 276, 6):
        pen.line((12 + mark, 216, 12 + mark, 238 if mark % 30 else 250), (10, 10, 10), 1)
    return card


def with_card(picture: Image.Image, number: int) -> Image.Image:
    """The picture with the colour card lying somewhere on it."""
    random = np.random.default_rng([number, 4])
    card = colour_card().rotate(float(random.uniform(-10, 10)), expand=True, fillcolor="white")
    both = picture.copy()
    both.paste(
        card,
        (
            int(random.integers(0, max(both.width - card.width, 1))),
            int(random.integers(0, max(both.height - card.height, 1))),
        ),
    )
    return both


@dataclass(frozen=True, slots=True)
class Conditions:
    """How well somebody photographs; every range is drawn from evenly."""

    askew: float  # of the side, by which each corner may be off
    scale: tuple[float, float]  # of the frame, that the object fills
    jpeg: tuple[int, int]
    glare: bool


USUAL: Final = Conditions(0.08, (0.7, 1.0), (70, 90), glare=False)
HARD: Final = Conditions(0.14, (0.55, 0.8), (55, 75), glare=True)


def recapture(picture: Image.Image, conditions: Conditions, *numbers: int) -> bytes:
    """A JPEG that somebody else took of the same thing; ``numbers`` say which one."""
    random = np.random.default_rng([*numbers, 5])
    longest = max(picture.size)
    frame = _clutter(
        random, round(1200 * picture.width / longest), round(1200 * picture.height / longest)
    )
    height, width = frame.shape[:2]
    corners = _laid(random, conditions, width, height)
    source = np.array(
        [(0, 0), (picture.width, 0), (picture.width, picture.height), (0, picture.height)],
        np.float32,
    )
    homography = cv2.getPerspectiveTransform(source, corners)
    object_there = cv2.warpPerspective(
        np.asarray(picture), homography, (width, height), flags=cv2.INTER_AREA
    )
    inside = cv2.warpPerspective(
        np.full((picture.height, picture.width), 255, np.uint8), homography, (width, height)
    )
    scene = np.where((inside > 127)[..., None], object_there, frame).astype(np.float64) / 255
    return _jpeg(_lit(random, scene, conditions), int(random.integers(*conditions.jpeg)))


def _laid(
    random: Random, conditions: Conditions, width: int, height: int
) -> npt.NDArray[np.float32]:
    """Where the object's corners lie in the frame."""
    half = np.array([width, height]) / 2 * random.uniform(*conditions.scale)
    unit = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float64)
    unit += random.uniform(-conditions.askew, conditions.askew, (4, 2)) * 2
    turn = np.radians(random.uniform(-12, 12))
    turning = np.array([(np.cos(turn), np.sin(turn)), (-np.sin(turn), np.cos(turn))])
    off = random.uniform(-0.05, 0.05, 2) * (width, height)
    corners: npt.NDArray[np.float32] = (
        unit * half @ turning + (width / 2, height / 2) + off
    ).astype(np.float32)
    return corners


def _lit(random: Random, scene: npt.NDArray[np.float64], conditions: Conditions) -> Pixels:
    """Exposure, the light's colour, contrast, glare, focus and the sensor's noise."""
    height, width = scene.shape[:2]
    scene = scene * random.uniform(0.65, 1.35) * random.uniform(0.93, 1.07, 3)
    scene = np.clip(scene, 0, 1) ** random.uniform(0.8, 1.25)
    if conditions.glare:
        y, x = np.mgrid[0:height, 0:width]
        middle = random.uniform(0.25, 0.75, 2) * (width, height)
        spread = random.uniform(0.08, 0.16) * width
        spot = np.exp(-((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / (2 * spread**2))
        scene = scene + random.uniform(0.5, 0.9) * spot[..., None]
    focused = np.asarray(cv2.GaussianBlur(scene, (0, 0), random.uniform(0.4, 1.3)), np.float64)
    scene = focused + random.normal(0, random.uniform(2, 6) / 255, scene.shape)
    lit: Pixels = np.clip(scene * 255, 0, 255).astype(np.uint8)
    return lit


def _jpeg(pixels: Pixels, quality: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality)
    return out.getvalue()


def catalogue_photo(picture: Image.Image) -> bytes:
    """The house's own photograph, as it is uploaded."""
    return _jpeg(np.asarray(picture), 92)


# ── What is drawn ────────────────────────────────────────────────────────────────────────


def _painting(random: Random) -> Image.Image:
    canvas = Image.fromarray(_cloud(random, *_SIZE, coarse=120.0))
    pen = ImageDraw.Draw(canvas, "RGBA")
    for _ in range(int(random.integers(120, 260))):
        x, y = random.uniform(0, _SIZE[0]), random.uniform(0, _SIZE[1])
        length, turn = random.uniform(10, 120), random.uniform(0, np.pi)
        bend = random.uniform(-0.7, 0.7)
        points = [
            (x + t * length * np.cos(turn + bend * t), y + t * length * np.sin(turn + bend * t))
            for t in np.linspace(0, 1, 6)
        ]
        pen.line(
            points, (*_colour(random), int(random.integers(90, 230))), int(random.integers(2, 16))
        )
    return _grained(random, canvas)


def _label(random: Random) -> Image.Image:
    paper = Image.new("RGB", _SIZE, _pale(random))
    pen = ImageDraw.Draw(paper)
    type_, edge = _Type.drawn(random), int(random.integers(14, 60))
    for inset in (edge, edge + int(random.integers(5, 18))):
        pen.rectangle(
            (inset, inset, _SIZE[0] - inset, _SIZE[1] - inset), outline=_dark(random), width=2
        )
    top = edge + 30
    while top < _SIZE[1] - edge - 60:
        size = int(random.integers(16, 74))
        words = " ".join(random.choice(_WORDS, int(random.integers(1, 4))))
        left = int(random.integers(edge + 20, 260))
        at = (left + random.uniform(150, 330), top + size / 2)
        type_.write(paper, at, f"{words} {random.integers(1, 2030)}", _dark(random), size)
        top += round(size * random.uniform(1.1, 1.7))
    x, y, r = random.uniform(200, 700), random.uniform(150, 550), random.uniform(40, 100)
    for ray in np.linspace(0, 2 * np.pi, int(random.integers(9, 40))):
        pen.line((x, y, x + r * np.cos(ray), y + r * np.sin(ray)), _dark(random), 2)
    return _grained(random, paper)


def _dial(random: Random) -> Image.Image:
    return _dial_of(*random.spawn(2))


def _dial_of(make: Random, item: Random) -> Image.Image:
    """A dial: ticks, numerals and typeface are its maker's; words, hands and colours its own."""
    plate = Image.fromarray(_cloud(item, *_SIZE, coarse=200.0))
    pen = ImageDraw.Draw(plate)
    x, y, r = _SIZE[0] / 2, _SIZE[1] / 2, make.uniform(240, 340)
    ink, face = (_dark(item), _pale(item))[:: int(item.choice([1, -1]))]
    pen.ellipse((x - r, y - r, x + r, y + r), fill=face, outline=ink, width=5)
    type_ = _Type.drawn(make)
    ticks, every = int(make.choice([48, 60, 72, 100, 120])), int(make.integers(3, 7))
    short, long = make.uniform(0.88, 0.94), make.uniform(0.78, 0.86)
    for tick in range(ticks):
        a, inner = 2 * np.pi * tick / ticks, short if tick % every else long
        ends = ((x + r * f * np.cos(a), y + r * f * np.sin(a)) for f in (0.97, inner))
        pen.line([*ends], ink, int(make.integers(1, 3)) if tick % every else 4)
    size, reach = int(make.integers(22, 58)), make.uniform(0.55, 0.74)
    for hour in range(1, 13, int(make.choice([1, 1, 2, 3]))):
        a = 2 * np.pi * (hour - 3) / 12
        at = (x + r * reach * np.cos(a), y + r * reach * np.sin(a))
        type_.write(plate, at, _numeral(hour, roman=type_.roman), ink, size)
    for _ in range(int(item.integers(2, 5))):
        at = (x + item.uniform(-90, 90), y + r * item.uniform(-0.42, 0.42))
        type_.write(plate, at, " ".join(item.choice(_WORDS, 2)), ink, int(item.integers(14, 26)))
    for width, length in ((11, 0.5), (7, 0.75), (3, 0.85)):
        a = item.uniform(0, 2 * np.pi)
        tip = (x + r * length * np.cos(a), y + r * length * np.sin(a))
        pen.line([(x, y), tip], _colour(item), width)
    return _grained(item, plate)


def _numeral(hour: int, *, roman: bool) -> str:
    if not roman:
        return str(hour)
    tens, ones = divmod(hour, 10)
    return "X" * tens + ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")[ones]


@dataclass(frozen=True, slots=True)
class _Type:
    """A typeface: the one we have, made wider, slanted and bolder."""

    wider: float
    slant: float
    bold: int
    roman: bool

    @classmethod
    def drawn(cls, random: Random) -> _Type:
        """Some maker's."""
        return cls(
            float(random.uniform(0.65, 1.5)),
            float(random.uniform(-0.35, 0.35)),
            int(random.integers(0, 3)),
            bool(random.random() < 0.4),
        )

    def write(
        self, on: Image.Image, at: tuple[float, float], words: str, ink: Colour, size: int
    ) -> None:
        """The words, their middle at ``at``."""
        box = _font(size).getbbox(words, stroke_width=self.bold)
        wide, high = round(box[2] + 4), round(box[3] + 4)
        mask = Image.new("L", (wide, high))
        ImageDraw.Draw(mask).text((2, 2), words, 255, _font(size), stroke_width=self.bold)
        out = (round(wide * self.wider + abs(self.slant) * high), high)
        # What leans to the left begins as far to the right as its foot would leave the frame.
        begin = max(-self.slant, 0) * high
        turned = mask.transform(
            out,
            Image.Transform.AFFINE,
            (1 / self.wider, -self.slant / self.wider, -begin / self.wider, 0, 1, 0),
            Image.Resampling.BICUBIC,
        )
        on.paste(ink, (round(at[0] - out[0] / 2), round(at[1] - high / 2)), turned)


def _card(random: Random) -> Image.Image:
    card = Image.fromarray(_cloud(random, *_SIZE, coarse=60.0))
    pen = ImageDraw.Draw(card)
    for _ in range(int(random.integers(25, 60))):
        x, y = random.uniform(0, _SIZE[0]), random.uniform(0, _SIZE[1])
        w, h = random.uniform(15, 150, 2)
        shape = pen.ellipse if random.random() < 0.5 else pen.rectangle
        shape((x, y, x + w, y + h), fill=_colour(random), outline=_dark(random), width=2)
    for _ in range(6):
        at = (int(random.integers(20, 600)), int(random.integers(20, 640)))
        pen.text(
            at,
            " ".join(random.choice(_WORDS, 2)),
            _dark(random),
            _font(int(random.integers(18, 46))),
        )
    return _grained(random, card)


def _material(random: Random) -> Image.Image:
    """Fibres on a ground: a weave, a paper or a hide from nearby."""
    ground = Image.fromarray(_cloud(random, *_SIZE, coarse=float(random.uniform(6, 25))))
    pen = ImageDraw.Draw(ground, "RGBA")
    main = random.uniform(0, np.pi)
    for _ in range(900):
        x, y = random.uniform(-40, _SIZE[0]), random.uniform(-40, _SIZE[1])
        a, length = main + random.normal(0, 0.6), random.uniform(15, 90)
        pen.line(
            (x, y, x + length * np.cos(a), y + length * np.sin(a)),
            (*_colour(random), int(random.integers(60, 190))),
            int(random.integers(1, 4)),
        )
    return _grained(random, ground)


_SORTS: Final[tuple[Callable[[Random], Image.Image], ...]] = (
    _painting,
    _label,
    _dial,
    _card,
    _material,
)


def _cloud(random: Random, width: int, height: int, coarse: float) -> Pixels:
    """Colours that change slowly, over about ``coarse`` pixels."""
    small = random.uniform(
        0, 255, (max(round(height / coarse), 3), max(round(width / coarse), 3), 3)
    )
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    cloud: Pixels = np.clip(large * 0.6 + 50, 0, 255).astype(np.uint8)
    return cloud


def _clutter(random: Random, width: int, height: int) -> Pixels:
    """A table with things on it."""
    table = Image.fromarray(_cloud(random, width, height, coarse=float(random.uniform(15, 80))))
    pen = ImageDraw.Draw(table)
    for _ in range(40):
        x, y = random.uniform(0, width), random.uniform(0, height)
        w, h = random.uniform(10, 220, 2)
        pen.rectangle((x, y, x + w, y + h), fill=_colour(random))
        pen.text(
            (x, y), str(random.choice(_WORDS)), _colour(random), _font(int(random.integers(12, 60)))
        )
    return np.array(table)


def _grained(random: Random, picture: Image.Image) -> Image.Image:
    """No surface is quite even."""
    noise = cv2.GaussianBlur(random.normal(0, 9, (picture.height, picture.width)), (0, 0), 1.2)
    pixels = np.asarray(picture, np.float64) + noise[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _colour(random: Random) -> Colour:
    red, green, blue = (int(part) for part in random.integers(15, 240, 3))
    return red, green, blue


def _dark(random: Random) -> Colour:
    red, green, blue = (int(part) for part in random.integers(5, 90, 3))
    return red, green, blue


def _pale(random: Random) -> Colour:
    red, green, blue = (int(part) for part in random.integers(190, 250, 3))
    return red, green, blue

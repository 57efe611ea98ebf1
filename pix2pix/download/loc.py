"""Collections of the Library of Congress, as its JSON API lists them.

Source: https://www.loc.gov/apis/json-and-yaml/ (there, "Making API Requests" and "Search Results
Responses"). The sizes of its pictures: https://www.loc.gov/collections/photochrom-prints/, under
"Technical Information": 640 px for names ending in r.jpg, 1024 px for v.jpg.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urldefrag, urljoin, urlsplit

# Its limits (https://www.loc.gov/apis/json-and-yaml/): of pages of a collection 20 in 10 s and 80
# a minute, of items 40 in 10 s and 200 a minute; for asking more, a block of 5 minutes or an hour.
PAGE_INTERVAL = 1.0  # [s]: 60 a minute
PICTURE_INTERVAL = 0.4  # [s]: 150 a minute
REFUSAL = 300.0  # [s] to wait after "429 Too Many Requests"

_SMALLEST = 400  # [px] of the long side: only thumbnails of what is restricted are shown
_SIDES = {"v": 1024, "r": 640}  # [px] by the last letter of a name, where its address says none
_ABOUT = {"collection", "web page"}  # what is listed among the pictures and is none


@dataclass(frozen=True)
class Item:
    """A picture of a collection, and what is known of it; `rights` may be empty."""

    name: str  # the number of its page, https://www.loc.gov/item/NAME/
    title: str
    place: str
    date: str
    rights: str
    url: str  # of its largest JPEG


@dataclass(frozen=True)
class Page:
    """One page of a listing."""

    items: list[Item]
    total: int | None  # results on all pages, with those that are no pictures
    following: str | None  # the address of the next page


def walk(url: str, read: Callable[[str], Page]) -> Iterator[Page]:
    """The pages of a listing from the address `url` on, each once."""
    seen: set[str] = set()
    following: str | None = url
    while following and following not in seen:
        seen.add(following)
        page = read(following)
        following = page.following
        yield page


def parse(data: bytes, url: str) -> Page:
    """Parse the JSON at an address -> a page. Raises ValueError for all but a listing."""
    content = json.loads(data)
    if not isinstance(content, dict) or not isinstance(content.get("results"), list):
        raise ValueError("no list of results")
    paging = content.get("pagination") or {}
    found = (_item(result, url) for result in content["results"])
    return Page(
        items=[item for item in found if item],
        total=paging.get("of") if isinstance(paging.get("of"), int) else None,
        following=urljoin(url, paging["next"]) if paging.get("next") else None,
    )


def _item(result: object, base: str) -> Item | None:
    """A result as an item; None where it has no picture to download."""
    if not isinstance(result, dict) or result.get("access_restricted"):
        return None
    if _ABOUT & {form.lower() for form in _texts(result.get("original_format"))}:
        return None
    name = re.search("/item/([A-Za-z0-9_-]{1,40})/?$", _text(result.get("id")))
    pictures = [(_side(url), url) for url in _texts(result.get("image_url"))]
    side, url = max(pictures, default=(0, ""))
    if not name or side < _SMALLEST:
        return None
    more = result.get("item")
    more = more if isinstance(more, dict) else {}
    rights = [more.get(key) for key in ("rights_information", "rights_advisory", "rights")]
    return Item(
        name=name[1],
        title=_text(result.get("title")) or _text(more.get("title")),
        place="; ".join(dict.fromkeys(_texts(result.get("location")))),
        date=_text(result.get("date")) or _text(more.get("date")),
        rights=next(filter(None, map(_text, [*rights, result.get("rights")])), ""),
        url=urldefrag(urljoin(base, url)).url,
    )


def _side(url: str) -> int:
    """Long side of a JPEG [px], by `#h=766&w=1024` or its name; 0 for others."""
    address, fragment = urldefrag(url)
    name = re.search(r"([a-z]?)\.jpe?g$", urlsplit(address).path.lower())
    if not name:
        return 0
    said = [int(number) for number in re.findall(r"\b[hw]=(\d+)", fragment)]
    return max(said, default=_SIDES.get(name[1], 0))


def _texts(value: object) -> list[str]:
    """A text, or a list of them, as a list; the API has both."""
    values = value if isinstance(value, list) else [value]
    return [text.strip() for text in values if isinstance(text, str) and text.strip()]


def _text(value: object) -> str:
    return " ".join(_texts(value))

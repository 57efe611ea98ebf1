"""Take the screenshots of the page: resources/page-light.png, page-dark.png, page-phone.png.

python scripts/make_page_pictures.py [OUT] [--all] [--weights=W]

Needs Chromium at /usr/bin/chromium and playwright. --all adds the other views and tabs, to look at.
"""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 120_000  # [ms]
SAMPLE = "Sample photo 5"


def main(out: Path) -> None:
    """Start the app, color a sample on a desktop in both themes and on a phone."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    weights = [each.split("=")[1] for each in sys.argv if each.startswith("--weights=")]
    command = [sys.executable, ROOT / "app" / "app.py", *weights]
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": cache}
        app = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            assert app.stdout
            for line in app.stdout:
                if line.startswith("Serving"):
                    break
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path="/usr/bin/chromium", args=["--no-sandbox"]
                )
                for name, scheme, size in (
                    ("light", "light", (1280, 900)),
                    ("dark", "dark", (1280, 900)),
                    ("phone", "light", (390, 844)),
                ):
                    context = browser.new_context(
                        viewport={"width": size[0], "height": size[1]},
                        color_scheme=scheme,
                        device_scale_factor=1 if name != "phone" else 2,
                    )
                    page = context.new_page()
                    page.set_default_timeout(PATIENCE)
                    page.goto(f"http://127.0.0.1:{port}/")
                    shoot(page, out / f"page-{name}.png", all_views="--all" in sys.argv)
                    context.close()
        finally:
            app.terminate()
            app.wait(30)


def shoot(page: Page, path: Path, *, all_views: bool) -> None:
    """Color a sample and write what is in sight; `all_views`: also before, takes, and the tabs."""

    def write(view: str = "", *, full: bool = False) -> None:
        file = path.with_stem(path.stem + view)
        page.screenshot(path=file, full_page=full)
        Image.open(file).convert("P", palette=Image.Palette.ADAPTIVE).save(file, optimize=True)

    page.get_by_label(SAMPLE).wait_for()
    page.wait_for_timeout(500)
    if all_views:
        write("-start")
    page.get_by_label(SAMPLE).click()
    page.wait_for_selector("#before-after img")
    page.wait_for_function("document.querySelector('#download').textContent.trim() === 'Download'")
    page.wait_for_timeout(1000)
    page.evaluate("scrollTo(0, 0)")
    write()
    if all_views:
        for button in page.locator("#ask-more button").all():
            button.click()
            page.wait_for_timeout(4000)
        write("-more", full=True)
        if page.locator("#ask-touch").count():
            page.locator("#ask-touch").click()
            page.locator("#touch-photo canvas").click()
            page.wait_for_timeout(4000)
            write("-touch", full=True)
        for tab in ("Many photos", "About"):
            page.get_by_role("tab", name=tab).click()
            page.wait_for_timeout(1500)
            write(f"-{tab[:4].lower()}", full=True)


if __name__ == "__main__":
    folders = [each for each in sys.argv[1:] if not each.startswith("--")]
    main(Path(folders[0]) if folders else ROOT / "resources")

"""The application behind a real socket, for tests whose own code is not asynchronous."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

from controller.core.events import PhoneChanged, WrapUpEndAsked
from controller.settings import Bind
from controller.web.server import listen, serve
from tests.web.house import open_house


class Served:
    """The application on a port, in a thread with a loop of its own, with one call up and one ended."""

    def __init__(self, books):
        self._books = books
        self._stop = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self.url = ""
        self.token = ""
        self.tokens = {}
        self.contract = {}

    async def _run(self):
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        async with open_house(self._books) as house:
            await house.end(await house.talk("1700000000.1"))
            await house.tell(WrapUpEndAsked("an"))
            await house.talk("1700000000.2")
            await house.tell(PhoneChanged("binh", reachable=True))
            self.tokens, self.token = house.tokens, house.tokens["admin"]
            self.contract = house.app.openapi()
            listener = listen(Bind("127.0.0.1", 0))
            serving = asyncio.create_task(serve(house.app, listener))
            self.url = "http://{}:{}".format(*listener.getsockname())
            self._ready.set()
            await self._stop.wait()
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(120)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(120)
        assert not self._thread.is_alive()

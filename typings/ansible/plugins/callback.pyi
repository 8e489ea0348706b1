class Display:
    def display(self, msg: str, color: str | None = None) -> None: ...

class CallbackBase:
    _display: Display

    def __init__(self) -> None: ...

class PluginLoader:
    def get(self, name: str, *, class_only: bool = False) -> type | None: ...

connection_loader: PluginLoader

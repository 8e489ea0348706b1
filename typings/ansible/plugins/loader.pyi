class PluginLoader:
    def get(self, name: str, *, class_only: bool = False) -> object: ...

connection_loader: PluginLoader

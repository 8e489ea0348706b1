from typing import Any

class ConfigManager:
    def get_config_value(
        self, config: str, *, plugin_type: str | None = None, plugin_name: str | None = None
    ) -> Any: ...

config: ConfigManager

from typing import Any

class ConfigManager:
    # The type is the setting's own.
    def get_config_value(
        self, config: str, *, plugin_type: str | None = None, plugin_name: str | None = None
    ) -> Any: ...

config: ConfigManager

from ansible.parsing.dataloader import DataLoader

class Group:
    name: str
    vars: dict[str, object]
    def get_hosts(self) -> list[Host]: ...

class Host:
    name: str
    vars: dict[str, object]
    def get_groups(self) -> list[Group]: ...

class InventoryManager:
    groups: dict[str, Group]
    hosts: dict[str, Host]
    def __init__(self, loader: DataLoader, sources: list[str]) -> None: ...

class AnsibleError(Exception):
    obj: object

class AnsibleFilterError(AnsibleError): ...

"""The gateway: one OpenAI-compatible call, the tenant's rule applied, over the operator's own provider keys.

The only network code of the package. What decides is below it: the gateway derives what a request needs, asks the
engine, and walks the failure plan over the operator's providers.
"""

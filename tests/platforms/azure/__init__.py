"""An honest small executor of what Azure Pipelines documents: template expressions, an agent's job, server tasks.

No engine of Azure Pipelines can be installed. What is here follows the public documentation and the sources of the
agent's Bash task; anything that it does not know is an error, never a guess.
"""

"""What the CodeDeploy tests run on: stand-ins of AWS, Lambda's emulator, executors of AppSpec files and state machines."""

curl -X POST -H "X-API-KEY: $KEY" https://api.reflect.run/v1/suites/a/executions

"""vcache inside other frameworks, one module for each; none is imported before it is asked for.

`vcache.integrations.langchain` and `.langgraph` need the extra [langchain], `.llamaindex` the extra
[llamaindex]; `.redisvl` needs RedisVL only to be the cache of one of its vectorizers.
"""

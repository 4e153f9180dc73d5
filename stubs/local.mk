# Stubs and reference, generated from src/module/api.def.

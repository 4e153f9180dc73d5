# Programs that stress the whole, from the collector to the intake; tests/{upload,servers}/test_production.py run them.
EXTRA_DIST += \
	tests/servers/test_production.py \
	tests/stress/production/chain.py \
	tests/stress/production/phases.py \
	tests/stress/production/rlock_production_stress_test.py \
	tests/stress/production/run_rlock_production_stress_test.sh \
	tests/stress/production/verify.py \
	tests/stress/production/wsgi.py \
	tests/upload/test_production.py

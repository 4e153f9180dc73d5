"""The application as celery has it: its broker is a folder, so that no other service is needed.

    worker: celery --app tasks worker;  as a program: ask for N tasks, print the pids that did them
"""

import os
import sys
import time

from celery import Celery

import app

folder = os.path.dirname(os.environ["TRUTH"])
queue, results = os.path.join(folder, "queue"), os.path.join(folder, "results")
for place in (queue, results):
    os.makedirs(place, exist_ok=True)

celery = Celery("tasks", broker="filesystem://", backend="file://" + results)
celery.conf.update(broker_transport_options={"data_folder_in": queue, "data_folder_out": queue, "control_folder": folder},
                   worker_prefetch_multiplier=1, broker_connection_retry_on_startup=True, worker_redirect_stdouts=False)


@celery.task
def work() -> int:
    app.begin()
    app.work()
    return os.getpid()


@celery.task
def slow() -> int:
    app.slow()
    return os.getpid()


if __name__ == "__main__":
    name, n = sys.argv[1:]
    asked = [celery.tasks[f"{__name__}.{name}".replace("__main__", "tasks")].delay() for _ in range(int(n))]
    while not all(one.ready() for one in asked):
        time.sleep(0.05)
    print(*(one.get() for one in asked))

"""One command for a job of several processes, here or on several machines, and one end for all of them.

``python -m experiments.launch --workers 2 --servers 1 -- python experiments/run.py with ...``

==============  ==========================================================================================
file            what it is
==============  ==========================================================================================
``__main__``    the command line, and starting again after a failure
``hosts``       the machines: their file, their addresses, the ssh command
``job``         the roles (scheduler, servers, workers): where each runs, its environment
``watch``       the launcher's side: starts an agent for every role, listens to all, decides how the job ends
``agent``       around every role's process, on its machine: output, signs of life, the end
``signs``       what /proc says of a process: stopped, idle, cut off from a peer
``ending``      nothing is left: processes killed, the run marked in the log
==============  ==========================================================================================

The launcher and an agent speak over the agent's stdin and stdout, one JSON object a line; for another machine ssh
carries both. So no port is opened, and whoever hears nothing more knows that the other is gone.
"""

MARKER = "EXPERIMENTS_JOB"  # environment variable of every process of a job: JOB, or JOB/ROLE
BEAT_SECONDS = 1.0
SILENCE_SECONDS = 12.0  # without a word for so long, the other side is lost

# The steps of tests/lib.sh for programs in Python.
import os, time

number = 0


def step():
    """Tells that the next step is reached; false when the test is over."""
    global number
    number += 1
    directory = os.environ["STEP_DIR"]
    with open(directory + "/ready.new", "w") as file:
        file.write(str(number))
    os.rename(directory + "/ready.new", directory + "/ready")
    while not os.path.exists(f"{directory}/go.{number}"):
        if os.path.exists(directory + "/end"):
            return False
        time.sleep(0.002)
    return True

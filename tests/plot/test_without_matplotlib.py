"""Without matplotlib ruleonce works, and ruleonce.plot says how to get it."""

import subprocess
import sys

CODE = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
sys.meta_path.insert(0, Missing())
import ruleonce
try:
    import ruleonce.plot
except ImportError as error:
    print(error)
"""


def test_the_message_holds_the_command_that_installs_it():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert "pip install 'ruleonce[plot]'" in done.stdout

"""What the retrievers of the examples search, and what they are asked."""

PASSAGES = {
    "open": "open() opens a file and returns a stream of its content.",
    "mkdir": "os.mkdir() creates a folder with the given path.",
    "connect": "socket.connect() connects to a remote address.",
    "sleep": "time.sleep() suspends the calling thread for some seconds.",
    "sqrt": "math.sqrt() returns the square root of a number.",
    "shuffle": "random.shuffle() puts the items of a list in random order.",
    "loads": "json.loads() makes Python objects of a JSON document.",
    "sha256": "hashlib.sha256() returns a hash object of 256 bits.",
}

QUESTIONS = {  # each with the name of the passage that answers it
    "How do I read what is in a file?": "open",
    "How can I wait for five seconds?": "sleep",
    "How is a root of a number computed?": "sqrt",
}

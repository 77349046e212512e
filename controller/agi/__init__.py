"""The side door: FastAGI, where the dial path asks which trunk an agent's call may take."""

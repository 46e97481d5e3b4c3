"""The implementations, a module each: the engine by its public interface, its peers as their own users would."""

"""Tests of each platform: validators, samples, mutations."""

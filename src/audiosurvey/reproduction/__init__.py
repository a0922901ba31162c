"""Trains a recorded run again, and says how far the new results agree with it"""

"""Computed from finished runs, into files beside them: robustness, label suspects, explanations, times, data audit"""
